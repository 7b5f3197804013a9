"""MIL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import MILParameter

LOWEST = np.finfo(np.float32).min  # where Caffe starts its maxima, in double precision too


@register("MIL")
class MIL(Layer):
    """What an image is, of what its places are: each channel one number.

    bottom: N x C x H x W (axes that are missing behind are 1); top: N x C x 1 x 1. mil_param.type MAX: the greatest,
    which is the lowest finite float32 at least, and never NaN; equal ones all take the gradient. NOR, of probabilities
    p: 1 - prod(1 - p), the greatest at least; the gradient is (1 - y) / (1 - p), 1 at most and where p is 1. Raises
    LayerError for other shapes, for maps without pixels, and for a p that is not from 0 to 1.

    Source: MILLayer of s-gupta's and MSRCCS' Caffe; Fang et al., From Captions to Visual Concepts and Back (2015),
    equation 1.
    """

    reads = ("mil_param",)
    backward_reads_top = True
    origin = "visual-concepts"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if not 2 <= len(shape) <= 4 or 0 in shape[2:]:
            raise self.error(f"the bottom has the shape {shape}; expected N x C x H x W, with pixels")
        self.view = (*shape[:2], int(np.prod(shape[2:])))
        top[0].reshape(*shape[:2], 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data.reshape(self.view), top[0].data.reshape(self.view[:2])
        np.fmax.reduce(x, axis=2, out=y, initial=LOWEST)
        if self._is_noisy_or():
            if not ((x >= 0) & (x <= 1)).all():
                raise self.error("type NOR takes probabilities; the bottom has others than from 0 to 1")
            np.maximum(1 - np.prod(1 - x, axis=2), y, out=y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, y = bottom[0].data.reshape(self.view), top[0].data.reshape(*self.view[:2], 1)
        seed, diff = top[0].diff.reshape(y.shape), bottom[0].diff.reshape(self.view)
        if self._is_noisy_or():
            with np.errstate(divide="ignore", invalid="ignore"):
                np.multiply(seed, np.fmin((1 - y) / (1 - x), 1), out=diff)
        else:
            np.multiply(seed, x == y, out=diff)

    def _is_noisy_or(self) -> bool:
        return bool(self.layer_param.mil_param.type == MILParameter.NOR)
