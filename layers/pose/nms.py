"""Nms: the peaks of heat maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

REACH = 3


@register("Nms")
class Nms(Layer):
    """The peaks of heat maps (nms_param).

    bottom: N x C x H x W, of which the first num_parts maps count. top: N x num_parts x max_peaks + 1 x 3. Its first
    row has how many peaks there are, and 0, 0; the others their x, y and score, row by row of the map, as many as
    there is room for, then 0. A peak is a pixel, not at the border, above threshold and above its eight neighbours;
    its place is the mean of the pixels up to 3 away, but for the first row and column, weighted by their scores where
    these are above 0. Forward only. Raises LayerError for less maps than num_parts.

    Source: NmsLayer of CMU's caffe_rtpose, its GPU kernel: the CPU's writes rows of 2. There y is held against the
    width, so that it reads behind maps that are wider than high, and divides by 0 in others; and the 0s are
    rubbish.
    """

    reads = ("nms_param",)
    without_effect = ("nms_param.num_peak",)
    has_backward = False
    origin = "OpenPose"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.nms_param, bottom[0].shape
        if len(shape) != 4 or shape[1] < param.num_parts:
            raise self.error(
                f"the bottom has the shape {shape}, expected N x C x H x W with at least num_parts, {param.num_parts}, "
                "maps"
            )
        top[0].reshape(shape[0], param.num_parts, param.max_peaks + 1, 3)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.nms_param
        top[0].data[...] = 0
        for n, part in np.ndindex(*top[0].shape[:2]):
            plane, out = bottom[0].data[n, part], top[0].data[n, part]
            peaks = _peaks(plane, param.threshold)
            out[0, 0] = len(peaks)
            for row, (y, x) in zip(out[1:], peaks, strict=False):
                row[:] = (*_centre(plane, y, x), plane[y, x])


def _peaks(plane: np.ndarray, threshold: float) -> np.ndarray:
    """The places, y and x, of the peaks of a map."""
    height, width = plane.shape
    inner = plane[1:-1, 1:-1]
    is_peak = inner > inner.dtype.type(threshold)
    for dy, dx in np.ndindex(3, 3):
        if (dy, dx) != (1, 1):
            is_peak &= inner > plane[dy : height - 2 + dy, dx : width - 2 + dx]
    return np.argwhere(is_peak) + 1


def _centre(plane: np.ndarray, y: int, x: int) -> tuple[float, float]:
    """The mean place, x and y, around a peak; the peak itself where nothing is above 0."""
    top, left = max(y - REACH, 1), max(x - REACH, 1)
    scores = np.maximum(plane[top : y + REACH + 1, left : x + REACH + 1], 0)
    total = scores.sum()
    if not total > 0:
        return x, y
    rows, columns = np.indices(scores.shape)
    return left + (columns * scores).sum() / total, top + (rows * scores).sum() / total
