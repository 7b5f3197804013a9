"""Embed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import ShapeAndFiller, count_of, set_up_params
from caffe_compat.layers.kernels.rows import add_to_rows
from caffe_compat.layers.registry import register


@register("Embed")
class Embed(Layer):
    """A row of weights for each number: an InnerProduct of one-hot vectors, without writing these.

    bottom: whole numbers from 0 to input_dim - 1, any shape; it takes no gradient. top: that shape, then
    num_output. params: weights input_dim x num_output; bias num_output, unless bias_term is false.
    Raises LayerError for num_output or input_dim 0, and for a number out of range.

    Source: Caffe's EmbedLayer.
    """

    reads = ("embed_param",)
    no_gradient = (0,)
    param_axes = (("number", "output"), ("output",))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.embed_param
        counts = count_of(self, param, "input_dim"), count_of(self, param)
        params: list[ShapeAndFiller] = [(counts, param.weight_filler)]
        if param.bias_term:
            params.append(((param.num_output,), param.bias_filler))
        set_up_params(self, *params)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape, self.layer_param.embed_param.num_output)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        weights, *bias = (blob.data for blob in self.blobs)
        self.rows = self._rows(bottom[0], len(weights))
        y = top[0].data.reshape(-1, weights.shape[1])
        np.take(weights, self.rows, axis=0, out=y, mode="clip")  # mode "raise" would write to a copy of y
        for values in bias:
            y += values

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff = top[0].diff.reshape(self.rows.size, top[0].shape[-1])
        if self.propagates_to(0):
            add_to_rows(diff, self.rows, self.blobs[0].diff)
        if len(self.blobs) > 1 and self.propagates_to(1):
            self.blobs[1].diff[...] += diff.sum(axis=0)

    def _rows(self, numbers: Blob, count: int) -> np.ndarray:
        """The bottom as flat int64, fractions cut off as in C."""
        values = numbers.data.reshape(-1)
        wrong = ~((values > -1) & (values < count))
        if wrong.any():
            first = int(np.argmax(wrong))
            place = [int(i) for i in np.unravel_index(first, numbers.shape)]
            raise self.error(
                f"{values[first]:g} at {place} of the bottom (shape {numbers.shape}) is not from 0 to "
                f"input_dim - 1 = {count - 1}; correct the numbers or input_dim"
            )
        return values.astype(np.int64)
