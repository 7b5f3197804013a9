"""Interp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import interp as kernels
from caffe_compat.layers.registry import register


@register("Interp")
class Interp(Layer):
    """Bilinear resizing, corner pixels on corner pixels (interp_param).

    bottom: N x C x H x W; first -pad_beg pixels are cut off at the top and left, and -pad_end at the bottom and
    right (they are at most 0), leaving h x w. top: N x C x H' x W' with H' = (h - 1) / shrink_factor + 1, rounded
    down, or H' = (h - 1) zoom_factor + 1, or both, one after the other; or of the given height and width, which
    count only where not exactly one of the factors is given. W' likewise. Nothing is smoothed before shrinking.
    Raises LayerError for params that give no size, or none above 0.

    Source: InterpLayer of DeepLab's and PSPNet's forks of Caffe.
    """

    reads = ("interp_param",)
    origin = "DeepLab, PSPNet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.interp_param
        if max(param.pad_beg, param.pad_end) > 0:
            raise self.error(
                f"pad_beg is {param.pad_beg} and pad_end {param.pad_end}; they can only cut off: "
                "give 0, or less than 0"
            )
        self.shrinks, self.zooms = param.HasField("shrink_factor"), param.HasField("zoom_factor")
        self.sized = self.shrinks == self.zooms and param.HasField("height") and param.HasField("width")
        if not (self.shrinks or self.zooms or self.sized):
            raise self.error("there is no size; give zoom_factor, shrink_factor, or both height and width")
        for name in ("height", "width") if self.sized else ("shrink_factor", "zoom_factor"):
            if getattr(param, name) < 1:
                raise self.error(f"{name} is {getattr(param, name)}; it must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, param = bottom[0].shape, self.layer_param.interp_param
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}, expected 4 axes: N x C x H x W")
        cut = param.pad_beg + param.pad_end
        if min(shape[2:]) + cut < 1:
            raise self.error(
                f"pad_beg {param.pad_beg} and pad_end {param.pad_end} leave nothing of a bottom of {shape}"
            )
        sizes = (param.height, param.width) if self.sized else (self._size(n + cut) for n in shape[2:])
        top[0].reshape(*shape[:2], *sizes)

    def _size(self, size: int) -> int:
        param = self.layer_param.interp_param
        return (size - 1) // param.shrink_factor * param.zoom_factor + 1  # a factor not given is 1

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        source, target = self._inner(bottom[0].data), _planes(top[0].data)
        if source.shape == target.shape:  # else 0 times a NaN beside a pixel would spoil it
            target[...] = source
        else:
            kernels.interp(source, target)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            source, target = self._inner(bottom[0].diff), _planes(top[0].diff)
            if source.shape == target.shape:
                source[...] = target
            else:
                kernels.interp_backward(target, source)

    def _inner(self, array: np.ndarray) -> np.ndarray:
        """The planes without what is cut off."""
        param, (height, width) = self.layer_param.interp_param, array.shape[2:]
        return _planes(array)[
            :, -param.pad_beg : height + param.pad_end, -param.pad_beg : width + param.pad_end
        ]


def _planes(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, *array.shape[2:])
