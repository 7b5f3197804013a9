"""WordSum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import ShapeAndFiller, count_of, set_up_params
from caffe_compat.layers.registry import register


@register("WordSum")
class WordSum(Layer):
    """Weighted sums of a sentence's words: top = W bottom + bias, for each of B sentences.

    bottom: B x M x N, M words of N numbers; top: B x K x N, K being word_sum_param.num_output. params: W K x M; bias
    K N, unless bias_term is false. Raises LayerError for other axes, and where M or N changes.
    Source: WordSumLayer of Ask, Attend and Answer (VisionLearningGroup); Xu and Saenko (2016).
    """

    reads = ("word_sum_param",)
    origin = "VisionLearningGroup"
    param_axes = (("output", "word"), ("output and number",))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.word_sum_param, bottom[0].shape
        if len(shape) != 3:
            raise self.error(f"the bottom has the shape {shape}, expected B x M x N")
        self.sums, self.size = count_of(self, param), shape[1:]
        params: list[ShapeAndFiller] = [((self.sums, shape[1]), param.weight_filler)]
        if param.bias_term:
            params.append(((self.sums * shape[2],), param.bias_filler))
        set_up_params(self, *params)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].shape[1:] != self.size:
            raise self.error(f"the bottom has the shape {bottom[0].shape}; the params take B x {self.size}")
        top[0].reshape(bottom[0].num, self.sums, self.size[1])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.matmul(self.blobs[0].data, bottom[0].data, out=top[0].data)
        if len(self.blobs) > 1:
            top[0].data[...] += self.blobs[1].data.reshape(self.sums, -1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff = top[0].diff
        if self.propagates_to(0):
            self.blobs[0].diff[...] += np.einsum("bkn,bmn->km", diff, bottom[0].data, optimize=True)
        if len(self.blobs) > 1 and self.propagates_to(1):
            self.blobs[1].diff[...] += diff.sum(axis=0).ravel()
        if propagate_down[0]:
            np.matmul(self.blobs[0].data.T, diff, out=bottom[0].diff)
