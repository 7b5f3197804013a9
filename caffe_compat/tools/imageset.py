"""Makes an LMDB of the image files of a list.

Source: Caffe's convert_imageset and ReadImageToDatum.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.layers.data.image_data import Entry, read_list
from caffe_compat.layers.data.image_files import read_image_file
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, Datum
from caffe_compat.rng import caffe_rng
from caffe_compat.tools.database import DatabaseWriter
from caffe_compat.tools.file_errors import FileErrors
from caffe_compat.tools.images import Reading

logger = logging.getLogger("caffe_compat.tools")


@dataclass(frozen=True)
class Storing:
    """How images are stored: as pixels, or as image files: of their own type, or of `encode_type` (png, jpg)."""

    encoded: bool = False
    encode_type: str = ""
    check_size: bool = False  # whether all have to be of one size
    shuffle: bool = False
    redo: bool = False  # whether an LMDB of the same name is replaced


@dataclass
class Converted:
    """How many images were stored, and a message for each that was left out."""

    count: int = 0
    left_out: list[str] = field(default_factory=list)


def convert(root: str, source: str, output: str, reading: Reading, storing: Storing) -> Converted:
    """Store the images that `source` lists (a path below root, a blank and a label a line) in a new LMDB.

    Raises DataError where the list cannot be read, and as `store`.
    """
    errors = FileErrors(source)

    def record(entry: Entry) -> Datum:
        return read_datum(errors, root, entry, reading, storing)[0]

    return store(errors, read_list(errors, source), record, output, storing)


def store(
    errors: FileErrors,
    entries: list[Entry],
    record: Callable[[Entry], Datum | AnnotatedDatum],
    output: str,
    storing: Storing,
) -> Converted:
    """Store the record of each entry of a list in a new LMDB.

    Keys are the line's number in eight digits, "_" and the path. What cannot be read is left out, logged and
    told. Raises DataError where nothing can be read, or the LMDB cannot be written.
    """
    result = Converted()
    if storing.shuffle:
        logger.info("Shuffling data")
        order = np.arange(len(entries))
        caffe_rng().shuffle(order)
        entries = [entries[i] for i in order]
    logger.info("A total of %d images.", len(entries))
    if storing.encode_type and not storing.encoded:
        logger.info("encode_type specified, assuming encoded=true.")
    size = None
    with DatabaseWriter(output, storing.redo) as database:
        for number, entry in enumerate(entries):
            try:
                stored = record(entry)
            except DataError as error:
                result.left_out.append(error.message)
                logger.error("%s; left out", error.message)
                continue
            if storing.check_size:
                datum = stored.datum if isinstance(stored, AnnotatedDatum) else stored
                size = size or len(datum.data)
                if len(datum.data) != size:
                    raise errors.error(
                        f"{entry.place}: '{entry.path}' has {len(datum.data)} bytes, those before it {size}"
                    )
            database.put(f"{number:08d}_{entry.path}", stored)
            result.count += 1
            if result.count % 1000 == 0:
                logger.info("Processed %d files.", result.count)
        if not result.count:
            raise errors.error(
                f"none of its {len(entries)} images can be read; the first: {result.left_out[0]}"
            )
    if result.count % 1000:
        logger.info("Processed %d files.", result.count)
    return result


def read_datum(
    errors: FileErrors, root: str, entry: Entry, reading: Reading, storing: Storing
) -> tuple[Datum, tuple[int, int]]:
    """The image of an entry as it is stored, and the height and width of its file. Raises DataError."""
    path = os.path.join(root, entry.path)
    image = reading.load(errors, path, entry.place)
    size = image.shape[0], image.shape[1]
    image = reading.resized(errors, image, entry.place)
    if storing.encoded or storing.encode_type:
        content = _content(errors, path, entry, image, reading, storing)
        return Datum(encoded=True, data=content, label=entry.label), size
    height, width, channels = image.shape
    pixels = image.transpose(2, 0, 1).tobytes()
    return Datum(channels=channels, height=height, width=width, data=pixels, label=entry.label), size


def _content(
    errors: FileErrors, path: str, entry: Entry, image: np.ndarray, reading: Reading, storing: Storing
) -> bytes:
    """The image file to store: its own where nothing about it is changed."""
    own = os.path.splitext(path)[1][1:].lower()
    wanted = storing.encode_type or own
    if _same_type(own, wanted) and reading.color and reading.keeps_size:
        return read_image_file(errors, path, entry.place)
    return _encode(errors, image, wanted, entry.place)


def _same_type(own: str, wanted: str) -> bool:
    return own == wanted.lower() or (own == "jpeg" and wanted == "jpg")


def _encode(errors: FileErrors, image: np.ndarray, type: str, place: str) -> bytes:
    try:
        done, content = cv2.imencode(f".{type}", image)
    except cv2.error:
        done = False
    if not done:
        raise errors.error(
            f"{place}: OpenCV cannot write images of type '{type}'; give an encode_type, such as png"
        )
    return content.tobytes()
