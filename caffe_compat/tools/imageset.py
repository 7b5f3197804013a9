"""Makes an LMDB of the image files of a list.

Source: Caffe's convert_imageset and ReadImageToDatum.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.layers.data.image_data import Entry, read_list
from caffe_compat.layers.data.transformer import read_image_file
from caffe_compat.prototxt.caffe_pb2 import Datum
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


@dataclass
class Converted:
    """How many images were stored, and a message for each that was left out."""

    count: int = 0
    left_out: list[str] = field(default_factory=list)


def convert(
    root: str, source: str, output: str, reading: Reading, storing: Storing, shuffle: bool = False
) -> Converted:
    """Store the images that `source` lists (a path below root, a blank and a label a line) in a new LMDB.

    Keys are the line's number in eight digits, "_" and the path. What cannot be read is left out, logged and
    told. Raises DataError where the list cannot be read, nothing of it can, or the LMDB cannot be written.
    """
    errors, result = FileErrors(source), Converted()
    entries = read_list(errors, source)
    if shuffle:
        logger.info("Shuffling data")
        order = np.arange(len(entries))
        caffe_rng().shuffle(order)
        entries = [entries[i] for i in order]
    logger.info("A total of %d images.", len(entries))
    if storing.encode_type and not storing.encoded:
        logger.info("encode_type specified, assuming encoded=true.")
    size = None
    with DatabaseWriter(output) as database:
        for number, entry in enumerate(entries):
            try:
                datum = _datum(errors, root, entry, reading, storing)
            except DataError as error:
                result.left_out.append(error.message)
                logger.error("%s; left out", error.message)
                continue
            if storing.check_size:
                size = size or len(datum.data)
                if len(datum.data) != size:
                    raise errors.error(
                        f"{entry.place}: '{entry.path}' has {len(datum.data)} bytes, those before it {size}"
                    )
            database.put(f"{number:08d}_{entry.path}", datum)
            result.count += 1
            if result.count % 1000 == 0:
                logger.info("Processed %d files.", result.count)
        if not result.count:
            raise errors.error(f"none of its {len(entries)} images can be read; is '{root}' their folder?")
    if result.count % 1000:
        logger.info("Processed %d files.", result.count)
    return result


def _datum(errors: FileErrors, root: str, entry: Entry, reading: Reading, storing: Storing) -> Datum:
    path = os.path.join(root, entry.path)
    image = reading.read(errors, path, entry.place)
    if not (storing.encoded or storing.encode_type):
        height, width, channels = image.shape
        pixels = image.transpose(2, 0, 1).tobytes()
        return Datum(channels=channels, height=height, width=width, data=pixels, label=entry.label)
    own = os.path.splitext(path)[1][1:].lower()
    wanted = storing.encode_type or own
    if _same_type(own, wanted) and reading.color and not reading.height and not reading.width:
        content = read_image_file(errors, path, entry.place)
    else:
        content = _encode(errors, image, wanted, entry.place)
    return Datum(encoded=True, data=content, label=entry.label)


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
