"""L2Normalize, Normalization and NormalizationL2: each image's numbers over the root of their sum of squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

EPSILON = 1e-7


@register("L2Normalize")
class L2Normalize(Layer):
    """Each image's numbers over the root of their sum of squares plus 1e-7. bottom and top: N x ...

    The gradient is that without the 1e-7 in the norm of the top, as there. Source: L2NormalizeLayer of gy20073's Caffe.
    """

    reads: tuple[str, ...] = ()
    backward_reads_top = True
    origin = "gy20073"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)
        self.view = bottom[0].num, bottom[0].count // max(bottom[0].num, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = (blob.data.reshape(self.view) for blob in (bottom[0], top[0]))
        np.multiply(x, self._scales(x), out=y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, x_diff = (array.reshape(self.view) for array in (bottom[0].data, bottom[0].diff))
        y, y_diff = (array.reshape(self.view) for array in (top[0].data, top[0].diff))
        along = np.einsum("nc,nc->n", y, y_diff)[:, None]
        np.multiply(y_diff - along * y, self._scales(x), out=x_diff)

    def _scales(self, x: np.ndarray) -> np.ndarray:
        return 1 / np.sqrt(np.einsum("nc,nc->n", x, x) + self.dtype(EPSILON))[:, None]


@register("Normalization")
class Normalization(L2Normalize):
    """Each image's numbers over the root of their sum of squares; where all are 0, so is the top, and the gradient.

    bottom and top: N x ... Source: NormalizationLayer of Caffes with a triplet loss (vllab's, ruihou's, and others).
    """

    origin = "triplet losses"

    def _scales(self, x: np.ndarray) -> np.ndarray:
        squares = np.einsum("nc,nc->n", x, x)[:, None]
        return np.divide(1, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)


@register("NormalizationL2")
class NormalizationL2(Normalization):
    """Normalization by another name. Source: NormalizationL2Layer of RAM and GGL (liu-xb)."""

    origin = "RAM, GGL"
