"""ChannelScale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("ChannelScale")
class ChannelScale(Layer):
    """Multiplies all channels of each pixel by one number.

    bottom[0]: N x C x ...; bottom[1]: the numbers, N of 1 x ... each; top[0]: like bottom[0]. do_forward false leaves
    bottom[0] as it is, do_backward_feature false passes its gradient unchanged, with do_backward_scale false that of
    the numbers is 0; each alone. Raises LayerError for shapes that do not fit.
    Source: ChannelScaleLayer of happynear's Caffe.
    """

    reads = ("channel_scale_param",)
    origin = "happynear"
    bottom_count = (2, 2)
    refused = {
        "channel_scale_param.global_scale": "on the fork's CPU it would stay min_global_scale; use a Scale layer"
    }
    without_effect = tuple(f"channel_scale_param.{name}_global_scale" for name in ("max", "min", "init"))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        self.view = *shape[:2], math.prod(shape[2:])
        if len(shape) < 2 or bottom[1].count != self.view[0] * self.view[2]:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x C x ..., and one number for "
                "each pixel"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data.reshape(self.view), top[0].data.reshape(self.view)
        if self.layer_param.channel_scale_param.do_forward:
            np.multiply(x, self._scales(bottom[1].data), out=y)
        else:
            np.copyto(y, x)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        param, seed = self.layer_param.channel_scale_param, top[0].diff.reshape(self.view)
        if propagate_down[0]:
            scales = self._scales(bottom[1].data) if param.do_backward_feature else 1
            np.multiply(seed, scales, out=bottom[0].diff.reshape(self.view))
        if propagate_down[1]:
            x = bottom[0].data.reshape(self.view)
            total = np.einsum("ncp,ncp->np", x, seed) if param.do_backward_scale else 0
            self._scales(bottom[1].diff)[:, 0] = total

    def _scales(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(self.view[0], 1, self.view[2])
