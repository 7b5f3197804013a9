"""OuterProduct."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("OuterProduct")
class OuterProduct(Layer):
    """The products of each number of one vector with each of another, an example.

    bottoms: N x A and N x B (axes behind are 1); top: N x A x B x 1. As there, bottom[0] gets a gradient of 0. Raises
    LayerError for other shapes. Source: OuterProductLayer of JADF (BOBrown), which has it on the GPU only.
    """

    reads = ()
    origin = "JADF"
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, b = (blob.shape for blob in bottom)
        if min(len(a), len(b)) < 2 or a[0] != b[0] or any({*shape[2:]} - {1} for shape in (a, b)):
            raise self.error(f"the bottoms have the shapes {a} and {b}; expected N x A and N x B")
        top[0].reshape(*a[:2], b[1], 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, b = (blob.data.reshape(blob.shape[:2]) for blob in bottom)
        np.multiply(a[:, :, None], b[:, None], out=top[0].data[..., 0])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
        if propagate_down[1]:
            a, out = (array.reshape(array.shape[:2]) for array in (bottom[0].data, bottom[1].diff))
            np.einsum("na,nab->nb", a, top[0].diff[..., 0], out=out)
