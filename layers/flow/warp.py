"""Warp of PWC-Net."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Warp")
class Warp(Layer):
    """Maps sampled where a flow says.

    bottom[0]: N x C x H x W; bottom[1]: the flow, N x 2 x H x W, how far right and how far down. top: like bottom[0],
    the bilinear sample at (x + right, y + down); 0, without a gradient, where that is left of 0, right of W - 1, above
    0 or below H - 1. The flow's gradient at a place on a column of pixels is the mean of those at its left and at its
    right (at the border half of the one that there is), on a row likewise. Raises LayerError for other shapes.

    Source: WarpLayer of NVlabs' PWC-Net; Sun et al., PWC-Net (2018).
    """

    reads = ()
    bottom_count = (2, 2)
    origin = "PWC-Net"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, flow = bottom[0].shape, bottom[1].shape
        if len(shape) != 4 or flow != (shape[0], 2, *shape[2:]):
            raise self.error(
                f"the bottoms have the shapes {shape} and {flow}; expected N x C x H x W and N x 2 x H x W"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = 0
        maps, out = self._flat(bottom[0].data), self._flat(top[0].data)
        for n, at in enumerate(self._places(bottom)):
            for weight, pixel in at.corners():
                out[n][:, at.inside] += weight * maps[n][:, pixel]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff[...] = 0
        maps, seeds = self._flat(bottom[0].data), self._flat(top[0].diff)
        for n, at in enumerate(self._places(bottom)):
            seed = seeds[n][:, at.inside]
            if propagate_down[0]:
                for weight, pixel in at.corners():
                    for line, part in zip(self._flat(bottom[0].diff)[n], weight * seed, strict=True):
                        line += np.bincount(pixel, part, minlength=len(line)).astype(line.dtype)
            if propagate_down[1]:
                for line, slope in zip(self._flat(bottom[1].diff)[n], at.slopes(maps[n]), strict=True):
                    line[at.inside] = (slope * seed).sum(axis=0)

    def _flat(self, array: np.ndarray) -> np.ndarray:
        """Of N x C x H x W, N x C x H W."""
        return array.reshape(*array.shape[:2], array.shape[2] * array.shape[3])

    def _places(self, bottom: Sequence[Blob]) -> Iterator[_Places]:
        """Of each image."""
        height, width = bottom[0].shape[2:]
        rows, columns = np.divmod(np.arange(height * width), width)
        for right, down in self._flat(bottom[1].data):
            x, y = columns.astype(right.dtype) + right, rows.astype(down.dtype) + down
            inside = np.flatnonzero((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))
            yield _Places(inside, _Line(x[inside], width), _Line(y[inside], height), width)


class _Line:
    """Where P places stand between the pixels of a row or a column of `size`."""

    def __init__(self, at: np.ndarray, size: int):
        low = np.floor(at)
        self.after = at - low  # of low, 0 <= after < 1
        self.low, self.high = low.astype(np.int64), np.ceil(at).astype(np.int64)
        whole = self.low == self.high
        self.slope_from = np.where(whole, self.low - 1, self.low).clip(0)
        self.slope_to = np.where(whole, self.low + 1, self.high).clip(max=size - 1)
        self.slope = np.where(whole, 0.5, 1).astype(at.dtype)

    def sides(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """The weights and indices of the pixels around each place."""
        return (1 - self.after, self.low), (self.after, self.high)


@dataclass
class _Places:
    """The P places of an image that stand inside: for which pixels of the top, and where on rows of `width`."""

    inside: np.ndarray
    x: _Line
    y: _Line
    width: int

    def corners(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The weight and the index of the four pixels around each place."""
        for row_weight, row in self.y.sides():
            for column_weight, column in self.x.sides():
                yield row_weight * column_weight, row * self.width + column

    def slopes(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How fast maps, C x H W, grow to the right and down at each place: C x P."""
        x, y, width = self.x, self.y, self.width
        right, down = np.zeros((2, len(maps), len(self.inside)), maps.dtype)
        for weight, row in y.sides():
            right += (
                weight * x.slope * (maps[:, row * width + x.slope_to] - maps[:, row * width + x.slope_from])
            )
        for weight, column in x.sides():
            down += (
                weight
                * y.slope
                * (maps[:, y.slope_to * width + column] - maps[:, y.slope_from * width + column])
            )
        return right, down
