"""Downsample."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

F = np.float32


@register("Downsample")
class Downsample(Layer):
    """Shrinks maps, of which some pixels may be missing (NaN).

    bottom[0]: N x C x H x W. top: N x C x top_height x top_width (downsample_param), or of the height and width of
    bottom[1], of which only the shape counts. Corner pixels lie on corner pixels; each pixel of the top is the mean of
    those around, weighted by 1 - distance / step along both axes, step the distance between two of the top's. Missing
    ones do not count; where they weigh more than half of what the others do, so is the top's. A top of the bottom's
    size is the bottom. Forward only. Raises LayerError for a size below 2, unless it is the bottom's.

    Source: DownsampleLayer of lmb-freiburg/flownet2, its GPU kernel: there is none for the CPU. A larger top has NaN
    where no pixel is near enough, as there.
    """

    reads = ("downsample_param",)
    bottom_count = (1, 2)
    has_backward = False
    origin = "FlowNet2"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.downsample_param, bottom[0].shape
        if any(len(blob.shape) != 4 for blob in bottom):
            raise self.error(
                f"the bottoms have the shapes {[blob.shape for blob in bottom]}; expected N x C x H x W"
            )
        sizes = bottom[1].shape[2:] if len(bottom) > 1 else (param.top_height, param.top_width)
        if sizes != shape[2:] and min(*sizes, *shape[2:]) < 2:
            raise self.error(
                f"the size is {sizes[0]} x {sizes[1]}, the bottom's {shape[2]} x {shape[3]}; both must be at least 2: "
                "give top_height and top_width, or a second bottom"
            )
        top[0].reshape(*shape[:2], *sizes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data, top[0].data
        if x.shape == y.shape:
            y[...] = x
            return
        taps = (_taps(size, count) for size, count in zip(x.shape[2:], y.shape[2:], strict=True))
        total, weights, missing = np.zeros((3, *y.shape), y.dtype)
        for (i, of_row), (j, of_column) in itertools.product(*taps):
            part = x[:, :, i[:, None], j]
            is_missing = np.isnan(part)
            weight = (of_row[:, None] * of_column).astype(y.dtype)
            missing += np.where(is_missing, weight, 0)
            weights += np.where(is_missing, 0, weight)
            total += np.where(is_missing, 0, weight * part)
        with np.errstate(divide="ignore", invalid="ignore"):
            y[...] = np.where(missing / weights > 0.5, np.nan, total / weights)


def _taps(size: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each step from a place of the top: the pixels of the bottom there, and what they weigh along this axis."""
    places = np.arange(count, dtype=F) / F(count - 1) * F(size - 1)
    step = F(size - 1) / F(count - 1)
    nearest = np.trunc(places + F(0.5)).astype(np.int64)
    result = []
    for offset in range(-int(np.ceil(step)), int(np.ceil(step)) + 1):
        pixels = nearest + offset
        weight = np.maximum(0, 1 - np.abs(pixels.astype(F) - places) / step)
        inside = (pixels >= 0) & (pixels < size)
        result.append((pixels.clip(0, size - 1), np.where(inside, weight, 0)))
    return result
