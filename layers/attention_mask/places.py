"""Lists of places: 1 x 1 x 1 x N blobs, one number a window."""

from __future__ import annotations

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


def check_list(layer: Layer, blob: Blob, what: str) -> int:
    """How many places a list has. Raises LayerError for another shape."""
    if len(blob.shape) != 4 or blob.shape[:3] != (1, 1, 1):
        raise layer.error(f"{what} has the shape {blob.shape}; expected (1, 1, 1, places)")
    return blob.shape[3]


def flagged(layer: Layer, flags: Blob) -> np.ndarray:
    """The places whose flag is 1. Raises LayerError for flags that are neither 0 nor 1."""
    values = flags.data.ravel()
    wrong = np.flatnonzero((values != 0) & (values != 1))
    if wrong.size:
        raise layer.error(f"the flag of place {wrong[0]} is {values[wrong[0]]:g}; expected 0 or 1")
    return np.flatnonzero(values)
