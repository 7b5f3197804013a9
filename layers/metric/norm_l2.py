"""NormL2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("NormL2")
class NormL2(Layer):
    """Divides each example by the root of the sum of its squares plus 1e-7.

    bottom[0]: N x ..., at most 4 axes; top[0]: N x C x H x W, missing axes 1. Raises LayerError for more axes or none.
    Source: NormL2Layer of xialuxi's Caffe.
    """

    reads = ()
    origin = "xialuxi"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if not 1 <= len(shape) <= 4:
            raise self.error(f"the bottom has the shape {shape}; expected 1 to 4 axes")
        top[0].reshape(*shape, *[1] * (4 - len(shape)))
        self.view = shape[0], bottom[0].count // max(shape[0], 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        unit, _ = self._unit(bottom)
        np.copyto(top[0].data.reshape(self.view), unit)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            unit, norms = self._unit(bottom)
            seed = top[0].diff.reshape(self.view)
            along = np.einsum("nk,nk->n", unit, seed)[:, None]
            np.divide(seed - unit * along, norms, out=bottom[0].diff.reshape(self.view))

    def _unit(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray]:
        x = bottom[0].data.reshape(self.view)
        norms = np.sqrt(np.einsum("nk,nk->n", x, x) + x.dtype.type(1e-7))[:, None]
        return x / norms, norms
