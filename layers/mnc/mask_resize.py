"""MaskResize."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.common.lines import Line, sampled
from caffe_compat.layers.registry import register


@register("MaskResize")
class MaskResize(Layer):
    """Bilinear resizing, first pixel on first pixel (mask_resize_param).

    bottom: N x C x H x W. top: N x C x output_height x output_width, or, where factor_height or factor_width is above
    0, as many rows or columns as H or W times it, rounded down; row i lies at i H / output_height of the bottom,
    and is 0 where that is more than half a pixel behind the last row; columns likewise. In a gradient each pixel
    counts only for the two rows and the two columns of the top around its place, as there; where the top is larger
    than the bottom that leaves some out. Raises LayerError for sizes of 0, and for another number of axes.

    Source: MaskResizeLayer of daijifeng001/caffe-mnc, its GPU kernel: there is none for the CPU; the factors are those
    of BestSonny/SSTD.
    """

    reads = ("mask_resize_param",)
    origin = "MNC"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mask_resize_param
        if min(param.output_height, param.output_width) < 1:
            raise self.error(
                f"output_height is {param.output_height} and output_width {param.output_width}; both must be above 0"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or 0 in shape[2:]:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        sizes = self._sizes(*shape[2:])
        if min(sizes) < 1:
            raise self.error(f"the factors leave nothing of a bottom of {shape}")
        top[0].reshape(*shape[:2], *sizes)
        self.ratios = [
            self.dtype(size) / self.dtype(count) for size, count in zip(shape[2:], sizes, strict=True)
        ]
        self.lines = [
            Line(np.arange(count, dtype=self.dtype) * ratio, size)
            for size, count, ratio in zip(shape[2:], sizes, self.ratios, strict=True)
        ]

    def _sizes(self, height: int, width: int) -> tuple[int, int]:
        """The top's, in C's float arithmetic."""
        param = self.layer_param.mask_resize_param
        rows, columns = (
            cut_off(np.float32(size) * np.float32(factor))
            for size, factor in ((height, param.factor_height), (width, param.factor_width))
        )
        return (
            rows if param.factor_height > 0 else param.output_height,
            columns if param.factor_width > 0 else param.output_width,
        )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = sampled(bottom[0].data, *self.lines)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rows, columns = (
                _nearest(line, ratio) for line, ratio in zip(self.lines, self.ratios, strict=True)
            )
            np.matmul(rows.T @ top[0].diff, columns, out=bottom[0].diff)


def _nearest(line: Line, ratio: float) -> np.ndarray:
    """What each pixel counts at each place, 0 but for the two places around the pixel."""
    before = np.floor(np.arange(line.size, dtype=line.at.dtype) / ratio)
    behind = np.arange(len(line.at))[:, None] - before
    return line.matrix() * ((behind == 0) | (behind == 1))
