"""RistrettoBottom."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.layers.ristretto.trim import read_trims


@register("RistrettoBottom")
class RistrettoBottom(Layer):
    """What a Ristretto layer in TEST leaves of its bottom: the numbers trimmed as its inputs are.

    bottom and top: any shape. Of quantization_param what concerns layer_in counts. The gradient is the top's.
    Ristretto's layers trim a bottom where it lies; a net puts this layer behind each whose bottom others read later.
    """

    reads = ("quantization_param",)
    origin = "this project"
    without_effect = tuple(
        f"quantization_param.{name}"
        for name in ("bw_layer_out", "bw_params", "fl_layer_out", "fl_params", "exp_min", "exp_max")
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.trims = read_trims(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data
        self.trims.inputs(top[0].data, self.trims.round)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff
