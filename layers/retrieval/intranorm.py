"""Intranorm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

EPSILON = 1e-12


@register("Intranorm")
class Intranorm(Layer):
    """Divides each of intranorm_param.cluster_num equal parts of an image's numbers by the root of its sum of squares.

    bottom and top: N x ...; 1e-12 is added below the root. Raises LayerError where the parts do not divide the numbers.
    Source: IntranormLayer of hyojinie/crn; Arandjelovic and Zisserman, All about VLAD (2013).
    """

    reads = ("intranorm_param",)
    origin = "hyojinie"
    backward_reads_top = True

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        parts, size = self.layer_param.intranorm_param.cluster_num, bottom[0].count // max(bottom[0].num, 1)
        if parts < 1 or size % parts:
            raise self.error(f"cluster_num is {parts}; it does not divide the {size} numbers of each image")
        self.view = bottom[0].num, parts, size // parts
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data.reshape(self.view)
        np.multiply(x, _scales(x), out=top[0].data.reshape(self.view))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            y, diff = (array.reshape(self.view) for array in (top[0].data, top[0].diff))
            along = np.einsum("nkc,nkc->nk", y, diff)[:, :, None]
            scales = _scales(bottom[0].data.reshape(self.view))
            np.multiply(diff - along * y, scales, out=bottom[0].diff.reshape(self.view))


def _scales(x: np.ndarray) -> np.ndarray:
    return 1 / np.sqrt(np.einsum("nkc,nkc->nk", x, x) + x.dtype.type(EPSILON))[:, :, None]
