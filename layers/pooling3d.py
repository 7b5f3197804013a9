"""C3D's Pooling3D."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.windows import elements, maxima, spread, spread_to_equal, sums
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import Pooling3DParameter


@register("Pooling3D")
class Pooling3D(Layer):
    """The maximum (MAX) or the average (AVE) of each window of frames, rows and columns.

    bottom: N x C x L x H x W; top: N x C x L' x H' x W', with L' = (L - kernel_depth) / temporal_stride + 1 and H' =
    (H + 2 pad - kernel_size) / stride + 1, W' likewise, rounded up. Only AVE has a pad, of rows and columns; it counts
    as zeros. A maximum's diff goes to every element of its window that equals it.

    Raises LayerError for params that do not fit, and for STOCHASTIC.
    Source: Pooling3DLayer of C3D (facebookarchive/C3D, both versions).
    """

    reads = ("pooling3d_param",)
    origin = "C3D"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.pooling3d_param
        if param.pool == Pooling3DParameter.STOCHASTIC:
            raise self.error("pool: STOCHASTIC has no pass on the CPU in the original; use MAX or AVE")
        if param.pad and param.pool != Pooling3DParameter.AVE:
            raise self.error("pad is for pool: AVE only; remove it")
        if min(param.kernel_size, param.kernel_depth, param.stride, param.temporal_stride) < 1:
            raise self.error("kernel_size, kernel_depth, stride and temporal_stride must be at least 1")
        if param.pad and param.pad >= param.kernel_size:
            raise self.error(f"pad {param.pad} must be less than kernel_size {param.kernel_size}")
        rows = param.kernel_size, param.stride, param.pad
        self.windows = [(param.kernel_depth, param.temporal_stride, 0), rows, rows]
        self.backward_reads_top = param.pool == Pooling3DParameter.MAX

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 5 or bottom[0].count == 0:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x L x H x W")
        counts = [
            -((kernel - size - 2 * pad) // stride) + 1
            for (kernel, stride, pad), size in zip(self.windows, shape[2:], strict=True)
        ]
        if min(counts) < 1:
            raise self.error(
                f"windows (kernel, stride, pad) {self.windows} do not fit into a bottom of {shape}"
            )
        top[0].reshape(*shape[:2], *counts)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = _planes(bottom[0].data), _planes(top[0].data)
        if self.layer_param.pooling3d_param.pool == Pooling3DParameter.MAX:
            y[...] = maxima(x, self.windows, y.shape[1:])[0]
        else:
            np.divide(sums(x, self.windows, y.shape[1:]), self._elements(x, y), out=y)

    def _elements(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return elements(self.windows, x.shape[1:], y.shape[1:]).astype(x.dtype)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff, x_diff = _planes(top[0].diff), _planes(bottom[0].diff)
        if self.layer_param.pooling3d_param.pool == Pooling3DParameter.MAX:
            spread_to_equal(_planes(bottom[0].data), _planes(top[0].data), diff, self.windows, x_diff)
        else:
            spread(diff / self._elements(x_diff, diff), self.windows, x_diff)


def _planes(array: np.ndarray) -> np.ndarray:
    return array.reshape(math.prod(array.shape[:2]), *array.shape[2:])
