"""The permutohedral lattice: Gaussian filtering of pixels in the space of their features."""

from __future__ import annotations

import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.kernels import permutohedral as kernels

F = np.float32
MOST_CODES = 2**62


class Lattice:
    """Filters values of pixels with a Gaussian of deviation 1 over their features; values near are added up.

    features: pixels x d. The lattice is that of the features in float32, whatever the values' dtype. Raises owner's
    error for features that are not finite, or too far apart to be numbered.

    Source: ModifiedPermutohedral of CRF-RNN's fork of Caffe; Adams, Baek and Davis, Fast High-Dimensional Filtering
    Using the Permutohedral Lattice (2010).
    """

    def __init__(self, owner: ErrorFactory, features: np.ndarray):
        if not np.isfinite(features).all():
            raise owner.error("the image has values that are not finite; there is no lattice of them")
        elevated = _elevated(features.astype(F))
        if np.abs(elevated).max(initial=0) > 2**30:
            raise owner.error(
                "the image's values are too far apart for the filters' deviations; make these larger"
            )
        origins, ranks = _simplices(elevated)
        self.weights = _barycentric(elevated, origins, ranks)
        self._number(owner, _corners(origins, ranks))

    def _number(self, owner: ErrorFactory, keys: np.ndarray) -> None:
        """Number the lattice points, pixels x corners x axes but the last, and find their neighbours.

        A key becomes one number in a mixed base with room for the neighbours', so that theirs are a fixed step away.
        """
        pixels, corners, axes = keys.shape
        flat = keys.reshape(-1, axes)
        low = flat.min(axis=0, initial=0) - corners
        bases = [int(size) for size in flat.max(axis=0, initial=0) + corners - low + 1]
        places = [1]
        for base in bases:
            places.append(places[-1] * base)
        if places.pop() > MOST_CODES:
            raise owner.error(
                "the image's values are too far apart for the filters' deviations; make these larger"
            )
        steps = np.array(places, np.int64)
        codes, vertices = np.unique((flat - low) @ steps, return_inverse=True)
        self.vertices = vertices.reshape(pixels, corners) + 1
        moves = np.full((corners, axes), -1, np.int64)
        moves[np.arange(axes), np.arange(axes)] = axes
        self.neighbours = np.stack(
            [[_find(codes, codes + sign * step) for sign in (1, -1)] for step in moves @ steps]
        )

    def filter(self, values: np.ndarray, reverse: bool = False) -> np.ndarray:
        """Return the filtered values, channels x pixels; reverse: by the transposed filter."""
        out = np.zeros_like(values)
        work = np.empty((len(values), 2, self.neighbours.shape[2] + 1), values.dtype)
        weights = self.weights.astype(values.dtype)
        kernels.filter_values(values, self.vertices, weights, self.neighbours, reverse, work, out)
        return out


def _elevated(features: np.ndarray) -> np.ndarray:
    """The features in the lattice's space, d + 1 x pixels."""
    pixels, d = features.shape
    deviation = F(np.sqrt(2 / 3) * (d + 1))
    result, total = np.zeros((d + 1, pixels), F), np.zeros(pixels, F)
    for j in range(d, 0, -1):
        scaled = features[:, j - 1] * F(1 / np.sqrt(j * (j + 1)) * deviation)
        result[j] = total - F(j) * scaled
        total += scaled
    result[0] = total
    return result


def _simplices(elevated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each pixel the nearest point of remainder 0, and the rank of each coordinate's distance from it."""
    axes = len(elevated)
    rounded = np.rint(elevated * F(1 / axes)).astype(np.int64)
    origins, ranks = rounded * axes, np.zeros(elevated.shape, np.int64)
    distances = elevated - origins.astype(F)
    for i in range(axes):
        for j in range(i + 1, axes):
            less = distances[i] < distances[j]
            ranks[i] += less
            ranks[j] += ~less
    ranks += rounded.sum(axis=0)  # back onto the plane
    moved = axes * ((ranks < 0).astype(np.int64) - (ranks >= axes))
    return origins + moved, ranks + moved


def _barycentric(elevated: np.ndarray, origins: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """What the corners of each pixel's simplex weigh: pixels x corners."""
    axes, pixels = elevated.shape
    parts = (elevated - origins.astype(F)) * F(1 / axes)
    weights, rows = np.zeros((pixels, axes + 1), F), np.arange(pixels)
    for part, rank in zip(parts, ranks, strict=True):
        weights[rows, axes - 1 - rank] += part
        weights[rows, axes - rank] -= part
    weights[:, 0] += 1 + weights[:, axes]
    return weights[:, :axes]


def _corners(origins: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """The corners of each pixel's simplex: pixels x corners x axes but the last."""
    axes = len(origins)
    corner, rank = np.ogrid[:axes, :axes]
    canonical = np.where(rank < axes - corner, corner, corner - axes)
    return np.stack([(origins + canonical[i][ranks])[:-1].T for i in range(axes)], axis=1)


def _find(codes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where the wanted numbers stand among the sorted ones, counted from 1; 0 where they are not."""
    padded = np.append(codes, -1)
    places = np.searchsorted(codes, wanted)
    return np.where(padded[places] == wanted, places + 1, 0)
