"""ChannelNorm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("ChannelNorm")
class ChannelNorm(Layer):
    """The length of each pixel's vector of channels. bottom: N x C x H x W; top: N x 1 x H x W.

    Raises LayerError for another number of axes. Source: ChannelNormLayer of lmb-freiburg/flownet2, the gradient that
    of its GPU kernel.
    """

    reads = ()
    backward_reads_top = True
    origin = "FlowNet2"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        top[0].reshape(shape[0], 1, *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data
        np.sqrt(np.einsum("nchw,nchw->nhw", x, x), out=top[0].data[:, 0])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = top[0].diff / (top[0].data + self.dtype(1e-9))
            np.multiply(bottom[0].data, scale, out=bottom[0].diff)
