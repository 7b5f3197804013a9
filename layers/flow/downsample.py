"""Downsample."""

from __future__ import annotations

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
        rows, columns = (
            _weights(size, count).astype(x.dtype)
            for size, count in zip(x.shape[2:], y.shape[2:], strict=True)
        )
        is_missing = np.isnan(x)
        total = rows @ np.where(is_missing, 0, x) @ columns.T
        weights = rows @ (~is_missing).astype(x.dtype) @ columns.T
        missing = rows @ is_missing.astype(x.dtype) @ columns.T
        with np.errstate(divide="ignore", invalid="ignore"):
            y[...] = np.where(missing / weights > 0.5, np.nan, total / weights)


def _weights(size: int, count: int) -> np.ndarray:
    """What each of `size` pixels weighs in each of `count`."""
    step = F(size - 1) / F(count - 1)
    places = np.arange(count, dtype=F) / F(count - 1) * F(size - 1)
    return np.maximum(0, 1 - np.abs(np.arange(size, dtype=F) - places[:, None]) / step)
