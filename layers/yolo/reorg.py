"""Blocks of pixels laid into channels, as darknet orders them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Reorg")
class Reorg(Layer):
    """Each block of stride x stride pixels becomes one pixel of as many more channels; reverse: the other way.

    bottom: N x C x H x W; top: N x C s s x H / s x W / s, reverse: N x C / (s s) x H s x W s. The order is darknet's,
    which reads an image as if it had C / (s s) channels of H s x W s pixels, so in either direction C has to be a
    multiple of s s. With D = C / (s s), element (c, h, w) of a C x H x W image belongs to element (c % D,
    h s + o / s, w s + o % s), o = c / D, of a D x H s x W s image; reverse goes from the first to the second.
    The gradient is 0: the original gives none. Raises LayerError for dims that do not fit, and for a stride of 0.
    Source: ReorgLayer of Intel's Caffe and of that of MobileNet-YOLO; Redmon and Farhadi, YOLO9000 (2017). A layer that
    names no stride is choasup's, where it is 2.
    """

    reads = ("reorg_param",)
    origin = "Intel's Caffe"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.stride, self.reverse = self.layer_param.reorg_param.stride, self.layer_param.reorg_param.reverse
        if self.stride < 1:
            raise self.error("reorg_param.stride is 0; it must be at least 1, and is 2 as a rule")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, s = bottom[0].shape, self.stride
        if len(shape) != 4 or shape[1] % (s * s) or (not self.reverse and (shape[2] % s or shape[3] % s)):
            raise self.error(
                f"the bottom has the shape {shape}; expected N x C x H x W with C a multiple of {s * s}"
                + ("" if self.reverse else f", H and W multiples of {s}")
            )
        n, c, h, w = shape
        if self.reverse:
            top[0].reshape(n, c // (s * s), h * s, w * s)
        else:
            top[0].reshape(n, c * s * s, h // s, w // s)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        (n, c, h, w), s = bottom[0].shape, self.stride
        blocks, channels = (n, c // (s * s), h, s, w, s), (n, s, s, c // (s * s), h, w)
        if self.reverse:
            y = bottom[0].data.reshape(channels).transpose(0, 3, 4, 1, 5, 2)
            np.copyto(top[0].data.reshape(blocks), y)
        else:
            y = bottom[0].data.reshape(blocks).transpose(0, 3, 5, 1, 2, 4)
            np.copyto(top[0].data.reshape(channels), y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff.fill(0)
