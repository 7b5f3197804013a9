"""Datums, the records of Caffe's image databases, read from an LMDB."""

from __future__ import annotations

import cv2
import numpy as np
from google.protobuf.message import DecodeError

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.data.image_files import decode
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, Datum


def read_datum(owner: ErrorFactory, source: str, key: bytes, value: bytes) -> tuple[Datum, str]:
    """A Datum, and its name for errors. Raises owner's error where it is none."""
    name = record_name(source, key)
    try:
        return Datum.FromString(value), name
    except DecodeError as error:
        raise owner.error(f"{name}: this is no Datum") from error


def read_annotated(owner: ErrorFactory, source: str, key: bytes, value: bytes) -> tuple[AnnotatedDatum, str]:
    """An AnnotatedDatum, and its name for errors. Raises owner's error where it is none."""
    name = record_name(source, key)
    try:
        record = AnnotatedDatum.FromString(value)
    except DecodeError as error:
        raise owner.error(f"{name}: this is no AnnotatedDatum") from error
    if not record.HasField("datum"):
        raise owner.error(
            f"{name}: this is no AnnotatedDatum; make the database by caffe-compat convert-annoset, or take a Data "
            "layer for it"
        )
    return record, name


def record_name(source: str, key: bytes) -> str:
    """What errors call a record."""
    return f"'{source}', key '{key.decode(errors='backslashreplace')}'"


def pixels(owner: ErrorFactory, datum: Datum, name: str, flag: int = cv2.IMREAD_UNCHANGED) -> np.ndarray:
    """Channels x height x width, uint8 or float32. flag: how an encoded image is decoded, see `decode`.

    Raises owner's error where it cannot be decoded, or has not the numbers that its shape wants.
    """
    if datum.encoded:
        return decode(owner, datum.data, flag, name).transpose(2, 0, 1)
    shape = datum.channels, datum.height, datum.width
    values = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
    if min(shape) < 1 or values.size != np.prod(shape, dtype=float):
        raise owner.error(f"{name}: the Datum has {values.size} numbers for the shape {shape}")
    return values.reshape(shape)
