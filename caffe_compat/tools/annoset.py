"""Makes an LMDB of the image files of a list with their objects, for AnnotatedData.

Source: convert_annoset and ReadRichImageToAnnotatedDatum of the SSD fork of Caffe.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.data.image_data import Entry, read_list
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum
from caffe_compat.prototxt.reader import read_label_map
from caffe_compat.tools.annotation_files import Size, add_json, add_text, add_xml
from caffe_compat.tools.file_errors import FileErrors
from caffe_compat.tools.images import Reading
from caffe_compat.tools.imageset import Converted, Storing, read_datum, store

logger = logging.getLogger("caffe_compat.tools")
NO_LABEL = -1  # of an image with objects


@dataclass(frozen=True)
class Annotations:
    """How annotation files are read: as xml, json or txt; `labels` has the label of each name (txt has labels)."""

    label_type: str = "xml"
    labels: Mapping[str, int] = field(default_factory=dict)

    def add(self, path: Path, size: Size, record: AnnotatedDatum) -> None:
        """Add a file's objects to a record. Raises DataError, which names the file."""
        if self.label_type == "xml":
            add_xml(path, size, self.labels, record)
        elif self.label_type == "json":
            add_json(path, size, self.labels, record)
        else:
            add_text(path, size, record)


def convert_labels(root: str, source: str, output: str, reading: Reading, storing: Storing) -> Converted:
    """Store the images that `source` lists (a path below root, a blank and a label a line) in a new LMDB.

    Records are AnnotatedDatums without a type, of which AnnotatedData gives the labels. Raises DataError as `convert`.
    """
    errors = FileErrors(source)

    def record(entry: Entry) -> AnnotatedDatum:
        return AnnotatedDatum(datum=read_datum(errors, root, entry, reading, storing)[0])

    return store(errors, read_list(errors, source), record, output, storing)


def convert_objects(
    root: str, source: str, output: str, reading: Reading, storing: Storing, annotations: Annotations
) -> Converted:
    """Store the images that `source` lists (two paths below root a line: image, annotation) in a new LMDB.

    An image whose annotation file does not exist has no objects; a warning says how many these are. Raises DataError
    where the list cannot be read, none of its annotations exists, and as `store`.
    """
    errors = FileErrors(source)
    entries = read_pairs(errors, source)
    missing = [entry for entry in entries if not os.path.exists(os.path.join(root, entry.label))]
    if len(missing) == len(entries):
        first = os.path.join(root, entries[0].label)
        raise errors.error(f"none of its {len(entries)} annotations exists; the first is '{first}'")
    if missing:
        logger.warning(
            "%d image(s) have no annotation file, and so no objects; the first: %s",
            len(missing),
            missing[0].place,
        )

    def record(entry: Entry) -> AnnotatedDatum:
        unlabelled = entry._replace(label=NO_LABEL)
        datum, size = read_datum(errors, root, unlabelled, reading, storing)
        result = AnnotatedDatum(datum=datum, type=AnnotatedDatum.BBOX)
        path = Path(root, entry.label)
        if path.exists():
            try:
                annotations.add(path, Size(*size), result)
            except DataError as cause:
                raise errors.error(f"{entry.place}: {cause}") from cause
        return result

    return store(errors, entries, record, output, storing)


def read_pairs(errors: FileErrors, source: str) -> list[Entry]:
    """The lines of a list: an image's path and, as label, its annotation's. Raises DataError, with the line."""
    entries = []
    for line, place in read_lines(errors, source, "list of images"):
        paths = line.split()
        if len(paths) == 2:
            entries.append(Entry(paths[0], paths[1], place))
        elif paths:
            raise errors.error(
                f"{place}: expected two paths without blanks, image and annotation; found '{line}'"
            )
    return entries


def read_labels(path: str, check: bool = False) -> dict[str, int]:
    """The label of each name of a label map; of a name that stands twice the last one.

    check: whether that is a DataError instead. Raises PrototxtError where the file cannot be read.
    """
    labels: dict[str, int] = {}
    for item in read_label_map(path).item:
        if check and item.name in labels:
            raise DataError(f"has the name '{item.name}' twice", file=path)
        labels[item.name] = item.label
    return labels
