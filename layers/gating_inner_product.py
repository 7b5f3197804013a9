"""GatingInnerProduct: what experts say, each by its gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import ShapeAndFiller, count_of, set_up_params
from caffe_compat.layers.registry import register


@register("GatingInnerProduct")
class GatingInnerProduct(Layer):
    """The sum of the experts' answers, each times its gate.

    bottom[0]: N x K num_output answers of K experts, one behind the other; bottom[1]: N x K gates; bottom[2] and
    bottom[3]: N labels, which must be the same; top: N x num_output. Only the gates take a gradient. params: those of
    an InnerProduct of the gates, which nothing reads. Raises LayerError for other shapes, and for labels that differ.
    Source: GatingInnerProductLayer of deep_adaptive_fusion (mees), which also appends all that to files.
    """

    reads = ("inner_product_param",)
    origin = "mees"
    bottom_count = (4, 4)
    no_gradient = (0, 2, 3)
    without_effect = ("inner_product_param.weight_filler", "inner_product_param.bias_filler")
    refused = {
        "inner_product_param.axis": "the batch is axis 0; remove it",
        "inner_product_param.normalize": "its params are not read; remove it",
        "inner_product_param.transpose": "its params are not read; remove it",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.inner_product_param
        outputs, gates = count_of(self, param), bottom[1].count // max(bottom[1].num, 1)
        params: list[ShapeAndFiller] = [((outputs, gates), param.weight_filler)]
        if param.bias_term:
            params.append(((outputs,), param.bias_filler))
        set_up_params(self, *params)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes, (outputs, gates) = [blob.shape for blob in bottom], self.blobs[0].shape
        num = bottom[1].num
        counts = num * gates * outputs, num * gates, num, num
        if bottom[0].num != num or any(blob.count != n for blob, n in zip(bottom, counts, strict=True)):
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected N x {gates * outputs} answers, N x {gates} gates and "
                "N labels twice"
            )
        self.answers = num, gates, outputs
        top[0].reshape(num, outputs)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not np.array_equal(bottom[2].data.ravel().astype(int), bottom[3].data.ravel().astype(int)):
            raise self.error("the labels of the two bottoms differ; do the experts see the same images?")
        gates = bottom[1].data.reshape(self.answers[0], 1, self.answers[1])
        np.matmul(gates, bottom[0].data.reshape(self.answers), out=top[0].data[:, None])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[1]:
            slopes = np.matmul(bottom[0].data.reshape(self.answers), top[0].diff[:, :, None])
            bottom[1].diff[...] = slopes.reshape(bottom[1].shape)
