"""Pooling over any number of axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.sizes import sizes
from caffe_compat.layers.common.windows import Window, elements, maxima, spread, spread_to, sums
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import PoolingNDParameter


@register("PoolingND")
class PoolingND(Layer):
    """The maximum (MAX) or the average (AVE) of each window of each channel, over the axes behind `axis`.

    bottom: axes up to the channels, then D1 x D2 ..., at least one of these; top: the same with windows in their place,
    as many as Pooling has of each: rounded up, and with padding less one that would start behind it. An average counts
    padding as zeros. Sizes are given once, or once an axis. The elements of a window of MAX lie `dilation` apart.
    top[1], for MAX: the index of each first maximum in D1 D2 ..., -1 where there is none.

    Raises LayerError for params that contradict each other or do not fit, and for STOCHASTIC.
    Source: PoolingNDLayer of 3D-Caffe (yulequan/3D-Caffe), which has 2 and 3 axes; dilation is naibaf7's, on the GPU,
    where an average is of all pixels, and a padding moves the pixels of the windows that begin in it: both refused.
    """

    reads = ("pooling_nd_param",)
    origin = "3D-Caffe"
    top_count = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.pooling_nd_param
        self._axis = canonical_axis(self, param.axis, bottom[0])
        axes = len(bottom[0].shape) - self._axis - 1
        if axes < 1:
            raise self.error(f"a bottom of shape {bottom[0].shape} has no axes behind axis {self._axis}")
        if param.pool == PoolingNDParameter.STOCHASTIC:
            raise self.error("pool: STOCHASTIC has no passes in the original; use MAX or AVE")
        if len(top) > 1 and param.pool != PoolingNDParameter.MAX:
            raise self.error("only pool: MAX has a second top, the positions of the maxima; remove it")
        self.dilations = sizes(self, param, axes, "dilation", "", default=1, least=1)
        self.windows = self._read_windows(axes, bottom[0].shape[self._axis + 1 :])
        holes = {*self.dilations} != {1}
        if holes and (
            param.pool != PoolingNDParameter.MAX or param.global_pooling or any(p for *_, p in self.windows)
        ):
            raise self.error("dilation goes with pool: MAX, without pad and global_pooling")

    def _read_windows(self, axes: int, shape: tuple[int, ...]) -> list[Window]:
        param = self.layer_param.pooling_nd_param
        stride = sizes(self, param, axes, "stride", "stride", default=1, least=1)
        pad = sizes(self, param, axes, "pad", "pad", default=0, least=0)
        if not param.global_pooling:
            kernel = sizes(self, param, axes, "kernel_size", "kernel", default=0, least=1)
        elif param.kernel_size or param.HasField("kernel_h") or param.HasField("kernel_w"):
            raise self.error("global_pooling pools over all of the bottom; remove the kernel size")
        elif any(pad) or {*stride} != {1}:
            raise self.error("global_pooling works with pad 0 and stride 1 only; remove them")
        else:
            kernel = shape
        if any(p and p >= k for p, k in zip(pad, kernel, strict=True)):
            raise self.error(f"pad {pad} must be less than the kernel {kernel}")
        return list(zip(kernel, stride, pad, strict=True))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != self._axis + 1 + len(self.windows):
            raise self.error(
                f"the bottom has the shape {shape}, expected {self._axis + 1 + len(self.windows)} axes"
            )
        inside = shape[self._axis + 1 :]
        if self.layer_param.pooling_nd_param.global_pooling:
            self.windows = [(size, 1, 0) for size in inside]
        counts = [
            self._count((kernel - 1) * dilation + 1, stride, pad, size)
            for (kernel, stride, pad), dilation, size in zip(
                self.windows, self.dilations, inside, strict=True
            )
        ]
        if min(counts) < 1 or bottom[0].count == 0:
            raise self.error(
                f"windows (kernel, stride, pad) {self.windows} do not fit into a bottom of {shape}"
            )
        for blob in top:
            blob.reshape(*shape[: self._axis + 1], *counts)

    def _count(self, kernel: int, stride: int, pad: int, size: int) -> int:
        count = -((kernel - size - 2 * pad) // stride) + 1
        padded = any(pad for _, _, pad in self.windows)
        return count - (padded and (count - 1) * stride >= size + pad)

    def _planes(self, array: np.ndarray) -> np.ndarray:
        at = self._axis + 1
        return array.reshape(math.prod(array.shape[:at]), *array.shape[at:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = self._planes(bottom[0].data), self._planes(top[0].data)
        if self.layer_param.pooling_nd_param.pool == PoolingNDParameter.AVE:
            np.divide(sums(x, self.windows, y.shape[1:]), self._elements(x, y), out=y)
            return
        y[...], self._places = maxima(x, self.windows, y.shape[1:], self.dilations)
        for mask in top[1:]:
            mask.data[...] = self._places.reshape(mask.shape)

    def _elements(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return elements(self.windows, x.shape[1:], y.shape[1:]).astype(x.dtype)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff, x_diff = self._planes(top[0].diff), self._planes(bottom[0].diff)
        if self.layer_param.pooling_nd_param.pool == PoolingNDParameter.AVE:
            spread(diff / self._elements(x_diff, diff), self.windows, x_diff)
        else:
            spread_to(self._places, diff, x_diff)
