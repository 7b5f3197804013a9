"""The arrays in BlobProtos: of mean images, weights and solver states, in their old shape or their new one."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import BlobProto
from caffe_compat.prototxt.wire import RAW_TYPES

_OLD = ("num", "channels", "height", "width")


def _has_old_shape(blob: BlobProto) -> bool:
    """Whether it is one of num, channels, height and width that a blob has."""
    return any(map(blob.HasField, _OLD))


def has_shape(blob: BlobProto) -> bool:
    """Whether a blob tells its shape, the old way or the new one."""
    return blob.HasField("shape") or _has_old_shape(blob)


def shape_of(blob: BlobProto) -> tuple[int, ...]:
    """Return num x channels x height x width where one of them stands, else `shape`, () where neither does.

    Source: Caffe's Blob::FromProto.
    """
    if _has_old_shape(blob):
        return blob.num, blob.channels, blob.height, blob.width
    return tuple(blob.shape.dim)


def shape_for(blob: BlobProto, size: int) -> tuple[int, ...]:
    """Return the blob's shape, for `size` numbers. Raises ValueError ("3 numbers for the shape (2, 2)")."""
    shape = shape_of(blob)
    if min(shape, default=0) < 0 or math.prod(shape) != size:
        raise ValueError(f"{size} numbers for the shape {shape}")
    return shape


def _shaped(blob: BlobProto, values: np.ndarray) -> np.ndarray:
    return values.reshape(shape_for(blob, values.size))


def to_array(blob: BlobProto, diff: bool = False) -> np.ndarray:
    """Return the data, or the diff, in the blob's shape: float32, or float64 where such were written.

    Raises ValueError where the shape does not fit, or raw data of an unknown type stand in it. C3D's first version has
    a length between channels and height, and its numbers where all others have the diff.
    """
    if not diff and blob.diff and not blob.data and not blob.double_data and blob.HasField("width"):
        known = blob.num, blob.channels, blob.height, blob.width  # the last two are length and height there
        return np.array(blob.diff, np.float32).reshape(*known, -1)
    doubles, floats = (blob.double_diff, blob.diff) if diff else (blob.double_data, blob.data)
    raw, form = (blob.raw_diff, blob.raw_diff_type) if diff else (blob.raw_data, blob.raw_data_type)
    if raw:
        return _shaped(blob, _from_raw(raw, form))
    return _shaped(blob, np.array(doubles, np.float64) if doubles else np.array(floats, np.float32))


def _from_raw(raw: bytes, form: int) -> np.ndarray:
    if not 0 <= form < len(RAW_TYPES):
        raise ValueError(f"raw data of the unknown type {form}")
    values = np.frombuffer(raw, RAW_TYPES[form])
    return values.astype(np.float64 if form == 0 else np.float32, copy=False)
