"""Batches in which the examples of a class follow each other, as many of each."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer


def runs_of(layer: Layer, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """x (N x C) as classes x examples x C. The first class says how many examples each has; other labels are not read.

    Raises LayerError where that does not divide the batch.
    """
    others = np.flatnonzero(labels[1:] != labels[0])
    size = int(others[0]) + 1 if others.size else len(labels)
    if len(x) % size:
        raise layer.error(
            f"the first class has {size} examples, one after another, which does not divide the batch of {len(x)}"
        )
    return x.reshape(len(x) // size, size, -1)
