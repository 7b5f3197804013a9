"""Pooling with a padding of its own on each side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.padded import Padded, has_sides
from caffe_compat.layers.pooling import Pooling
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, PoolingParameter

LOWEST = np.finfo(np.float32).min


@register_form("PaddedPooling", of="Pooling", describes=has_sides)
class PaddedPooling(Padded):
    """The maximum or average of each window of each channel, with paddings of their own on each side.

    A layer of type Pooling with pad_l, pad_r, pad_t and pad_b that are not the same on both sides is this one
    (padding_sides_param), and so is one with padding and pool: AVE_EXC_PAD or AVE_TF, which leave the padding out of
    the average: it is over the pixels of the image alone; AVE counts padding as zeros.
    bottom: N x C x H x W; top: N x C x H' x W', H' = (H + top + bottom - kernel) / stride + 1, rounded as Pooling's.
    Raises LayerError for params that do not fit, windows in the padding alone, and other pools.
    Source: PoolingLayer of Synopsys' Caffe, which leaves out a last window in the padding.
    """

    reads = ("pooling_param", "padding_sides_param")
    origin = "Synopsys"
    plain_class = Pooling
    refused = (
        Pooling.refused
        | {f"pooling_param.{name}": "give the sides" for name in ("pad", "pad_h", "pad_w")}
        | {"pooling_param.global_pooling": "it works without padding only; remove one"}
    )

    def _plain_param(self) -> LayerParameter:
        pool = self.layer_param.pooling_param.pool
        if pool not in (PoolingParameter.MAX, PoolingParameter.AVE, PoolingParameter.AVE_EXC_PAD):
            raise self.error("with a padding for each side, pool is MAX, AVE or AVE_EXC_PAD")
        self.padding = LOWEST if pool == PoolingParameter.MAX else 0.0
        self.only_pixels = pool == PoolingParameter.AVE_EXC_PAD
        param = LayerParameter(name=self.name, type=self.type, pooling_param=self.layer_param.pooling_param)
        if self.only_pixels:
            param.pooling_param.pool = PoolingParameter.AVE
        return param

    def window(self, axis: int) -> tuple[int, int]:
        """Kernel and stride along rows (0) or columns (1)."""
        assert isinstance(self.plain, Pooling)
        return self.plain.window(axis)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.shares = [np.ones(1), np.ones(1)]
        for i in range(2):
            kernel, stride = self.window(i)
            starts = np.arange(top[0].shape[2 + i]) * stride
            ends = np.minimum(starts + kernel, self.padded.shape[2 + i])
            first, last = self.before[i], self.before[i] + bottom[0].shape[2 + i]
            pixels = np.minimum(ends, last) - np.maximum(starts, first)
            if pixels.min(initial=1) < 1:
                raise self.error(
                    f"a window of {kernel}, every {stride}, lies in the padding alone, {self.before[i]} before and "
                    f"{self.behind[i]} behind {bottom[0].shape[2 + i]} pixels; take off padding"
                )
            self.shares[i] = (ends - starts) / pixels
        self.raised = np.outer(*self.shares).astype(self.padded.dtype)
        self.lowered = Blob(dtype=self.padded.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        if self.only_pixels:
            top[0].data[...] *= self.raised

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if self.only_pixels and propagate_down[0]:
            self.lowered.reshape(*top[0].shape)
            self.lowered.diff[...] = top[0].diff * self.raised
            top = [self.lowered]
        super().backward(top, propagate_down, bottom)
