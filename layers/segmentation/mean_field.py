"""Mean field inference in a dense conditional random field.

Arrays: scores, classes x pixels; features, pixels x coordinates.
Source: Krähenbühl and Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials (2011).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.segmentation.permutohedral import Lattice

LEAST_EXPONENT = -20  # below it the original's exponential is 0

Filter = tuple[Lattice, np.ndarray]  # and the weight by which each pixel's value counts


def places_of(height: int, width: int) -> np.ndarray:
    """Column and row of each pixel, float32."""
    rows, columns = np.divmod(np.arange(height * width, dtype=np.float32), np.float32(width))
    return np.stack([columns, rows], axis=1)


def gaussian(layer: Layer, weight: float, features: np.ndarray) -> Filter:
    """A Gaussian over the features, divided at each pixel by what it makes of ones, times the weight."""
    lattice = Lattice(layer, features)
    norm = lattice.filter(np.ones((1, len(features)), layer.dtype))
    return lattice, layer.dtype(weight) / (norm + layer.dtype(1e-20))


def infer(scores: np.ndarray, filters: Sequence[Filter], steps: int) -> np.ndarray:
    """The probabilities after so many steps: of the scores plus what the filters make of the last ones."""
    prob = _softmax(scores)
    for _ in range(steps):
        prob = _softmax(sum((norm * lattice.filter(prob) for lattice, norm in filters), scores))
    return prob


def _softmax(scores: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(axis=0)
    values = np.where(shifted < LEAST_EXPONENT, 0, np.exp(shifted))
    return values / values.sum(axis=0)
