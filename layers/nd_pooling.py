"""NdPooling of video-caffe."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.pooling_nd import PoolingND
from caffe_compat.layers.registry import register


@register("NdPooling")
class NdPooling(PoolingND):
    """The maximum (MAX) or the average (AVE) of each window of each channel, over all axes behind the channels.

    bottom: N x C x D1 x D2 ...; top: the same with windows in their place, counted as Pooling counts them: rounded up,
    and along an axis with padding less one that would start behind it. An average is divided by the size of the whole
    kernel, wherever it lies. Of equal values in a window the first takes the gradient. In a net's text the sizes are
    kernel_shape, stride_shape and pad_shape of pooling_param, a `dim` for each axis, of which reading makes the lists
    of pooling_nd_param.

    Raises LayerError for params that do not fit, and for STOCHASTIC.
    Source: CudnnNdPoolingLayer of video-caffe (zhzhong11/video-caffe), which has it on the GPU only.
    """

    origin = "video-caffe"
    top_count = (1, 1)
    refused = {
        f"pooling_nd_param.{field}": "NdPooling has kernel_size, stride and pad, once an axis"
        for field in ("axis", "dilation", "kernel_h", "kernel_w", "stride_h", "stride_w", "pad_h", "pad_w")
    }

    def _count(self, kernel: int, stride: int, pad: int, size: int) -> int:
        count = -((kernel - size - 2 * pad) // stride) + 1
        return count - (pad > 0 and (count - 1) * stride >= size + pad)

    def _elements(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray(math.prod(kernel for kernel, _, _ in self.windows), x.dtype)
