"""The arrays in BlobProtos: of mean images, weights and solver states, in their old shape or their new one."""

from __future__ import annotations

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import BlobProto

_OLD = ("num", "channels", "height", "width")


def has_shape(blob: BlobProto) -> bool:
    """Whether a blob tells its shape, the old way or the new one."""
    return blob.HasField("shape") or any(blob.HasField(name) for name in _OLD)


def shape_of(blob: BlobProto) -> tuple[int, ...]:
    """Return num x channels x height x width where one of them stands, else `shape`, () where neither does.

    Source: Caffe's Blob::FromProto.
    """
    if any(blob.HasField(name) for name in _OLD):
        return blob.num, blob.channels, blob.height, blob.width
    return tuple(blob.shape.dim)


def shaped(blob: BlobProto, values: np.ndarray) -> np.ndarray:
    """Return the flat `values` in the blob's shape. Raises ValueError ("3 numbers for the shape (2, 2)")."""
    shape = shape_of(blob)
    if min(shape, default=0) < 0 or np.prod(shape, dtype=object) != values.size:
        raise ValueError(f"{values.size} numbers for the shape {shape}")
    return values.reshape(shape)


def to_array(blob: BlobProto, diff: bool = False) -> np.ndarray:
    """Return the data, or the diff, in the blob's shape: float32, or float64 where such were written.

    Raises ValueError where the shape does not fit. C3D's first version has a length between channels and height, and
    its numbers where all others have the diff.
    """
    if not diff and blob.diff and not blob.data and not blob.double_data and blob.HasField("width"):
        known = blob.num, blob.channels, blob.height, blob.width  # the last two are length and height there
        return np.array(blob.diff, np.float32).reshape(*known, -1)
    doubles, floats = (blob.double_diff, blob.diff) if diff else (blob.double_data, blob.data)
    return shaped(blob, np.array(doubles, np.float64) if doubles else np.array(floats, np.float32))
