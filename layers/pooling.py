"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.common.fit import check_fit
from caffe_compat.layers.kernels import pool_averages, pool_draws, pool_gradients, pool_maxima
from caffe_compat.layers.kernels.scratch import apart, scratch
from caffe_compat.layers.pooling_nd import PoolingND
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, PoolingParameter
from caffe_compat.rng import caffe_rng

SMALL = 16  # elements of a window, so many that its pixels ask for it one by one


@register("Pooling")
class Pooling(Layer):
    """The maximum (MAX), the average (AVE) or one drawn element (STOCHASTIC) of each window of each channel.

    bottom: N x C x H x W. top[0]: N x C x H' x W' with H' = (H + 2 pad - kernel) / stride + 1, rounded up
    (round_mode: FLOOR, or forks' ceil_mode: false, rounds down); with padding, a last window that would start
    behind the image is left out. Where no window fits the top is empty, and a warning says so. An average counts
    padding as zeros. top[1], for MAX: the index in H W of each maximum, the first of equal ones; -1 where nothing
    is greater than the lowest finite float32 (all is NaN, say), which is then the maximum, and takes no gradient.
    Positions are not kept: backward finds them again.

    STOCHASTIC is for elements that are not negative, and without padding. In training an element x is drawn with
    probability x / sum(x), by one draw of the global stream a window, and takes the gradient; the first one in a
    window of zeros. In testing the top is the mean with these probabilities as weights, sum(x^2) / sum(x), or 0
    where the sum is not positive.

    MAX and AVE of a bottom of more axes, N x C x L x H x W, are PoolingND's, with one kernel_size, stride and pad for
    all of them, as cuDNN and forks for volumes have it.

    Raises LayerError for params that contradict each other or do not fit.

    Source: Caffe's PoolingLayer; STOCHASTIC after its GPU kernels, since on the CPU it has none (and the gradient
    in testing after the formula), and Zeiler and Fergus (2013), "Stochastic pooling".
    """

    reads = ("pooling_param",)
    refused = {
        "pooling_param.dilation": "windows with holes are naibaf7's; the reader leaves out a dilation of 1"
    }
    top_count = (1, 2)
    over_more_axes: PoolingND | None = None

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.pooling_param
        if len(bottom[0].shape) > 4:
            self.over_more_axes = self._pooling_nd()
            self.over_more_axes.setup(bottom, top)
            return
        if param.HasField("round_mode") and rounds_up(param) != (param.round_mode == PoolingParameter.CEIL):
            raise self.error("round_mode and ceil_mode contradict each other; remove one")
        if len(top) > 1 and param.pool != PoolingParameter.MAX:
            raise self.error("only pool: MAX has a second top, the positions of the maxima; remove it")
        self._positions = np.empty(0, np.int64)
        self._stride = self._pair("stride", "stride", least=1)
        self._pad = self._pair("pad", "pad", least=0)
        # the gradient of the mean that stands there when a drawing layer is tested
        self.backward_reads_top = param.pool == PoolingParameter.STOCHASTIC and self.phase != TRAIN
        if param.pool == PoolingParameter.STOCHASTIC and any(self._pad):
            raise self.error(f"pool: STOCHASTIC works without padding, found pad {self._pad}; remove it")
        if not param.global_pooling:
            self._kernel = self._pair("kernel_size", "kernel", least=1)
        elif any(param.HasField(name) for name in ("kernel_size", "kernel_h", "kernel_w")):
            raise self.error("global_pooling pools over all of the bottom; remove the kernel size")
        elif (self._pad, self._stride) != ((0, 0), (1, 1)):
            raise self.error("global_pooling works with pad 0 and stride 1 only; remove them")
        if not param.global_pooling and any(p >= k for p, k in zip(self._pad, self._kernel, strict=True)):
            raise self.error(f"pad {self._pad} must be less than the kernel {self._kernel}")

    def _pooling_nd(self) -> PoolingND:
        """The layer that does the same over more axes than two."""
        names = {field.name for field, _ in self.layer_param.pooling_param.ListFields()} - {
            "engine",
            "round_mode",
        }
        unfit = names - {"pool", "kernel_size", "stride", "pad", "global_pooling"}
        if unfit or self.layer_param.pooling_param.round_mode == PoolingParameter.FLOOR:
            raise self.error(
                f"over more than two axes there are kernel_size, stride and pad, rounded up; found {unfit}"
            )
        param = LayerParameter(name=self.name, type=self.type)
        for name in names:
            value = getattr(self.layer_param.pooling_param, name)
            if name in ("kernel_size", "stride", "pad"):
                getattr(param.pooling_nd_param, name).append(value)
            else:
                setattr(param.pooling_nd_param, name, value)
        return PoolingND(param, self.phase, self.dtype)

    def _pair(self, field: str, prefix: str, least: int) -> tuple[int, int]:
        """(height, width) of a field that is given once, or as both prefix_h and prefix_w."""
        param = self.layer_param.pooling_param
        names = f"{prefix}_h", f"{prefix}_w"
        given = [param.HasField(name) for name in names]
        if any(given) and (param.HasField(field) or not all(given)):
            raise self.error(f"give either {field} alone, or both {names[0]} and {names[1]}")
        height, width = (getattr(param, name if any(given) else field) for name in names)
        if min(height, width) < least:
            raise self.error(f"{field} is {height} x {width}; it must be at least {least}")
        return height, width

    def window(self, axis: int) -> tuple[int, int]:
        """Kernel and stride along rows (0) or columns (1)."""
        return self._kernel[axis], self._stride[axis]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if self.over_more_axes:
            return self.over_more_axes.reshape(bottom, top)
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}, expected 4 axes: N x C x H x W")
        if self.layer_param.pooling_param.global_pooling:
            self._kernel = shape[2:]
        height, width = map(self._output_size, shape[2:], self._kernel, self._stride, self._pad)
        if 0 in self._kernel:
            raise self.error(f"there is nothing to pool over in a bottom of shape {shape}")
        check_fit(self, (height, width), f"a kernel of {self._kernel} with pad {self._pad}", shape)
        # a longer stride leads beyond the padding, as this one does
        stride = [
            min(stride, max(1, size + 2 * pad))
            for stride, size, pad in zip(self._stride, shape[2:], self._pad, strict=True)
        ]
        self.windows = np.array([self._kernel, stride, self._pad], np.int64).T.copy()
        for blob in top:
            blob.reshape(*shape[:2], height, width)
        planes = shape[0] * shape[1], height, width
        if self._draws() and self._positions.shape != planes:
            self._positions = np.empty(planes, np.int64)

    def _draws(self) -> bool:
        return self.layer_param.pooling_param.pool == PoolingParameter.STOCHASTIC and self.phase == TRAIN

    def _output_size(self, size: int, kernel: int, stride: int, pad: int) -> int:
        span = size + 2 * pad - kernel
        if rounds_up(self.layer_param.pooling_param):
            span += stride - 1
        pooled = span // stride + 1
        starts_behind = any(self._pad) and (pooled - 1) * stride >= size + pad
        return pooled - starts_behind

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.over_more_axes:
            return self.over_more_axes.forward(bottom, top)
        if not top[0].count:
            return
        x, y = _planes(bottom[0].data), _planes(top[0].data)
        pool = self.layer_param.pooling_param.pool
        if pool == PoolingParameter.AVE:
            pool_averages.average_forward(x, self.windows, y)
        elif self._draws():
            draws = scratch(y.shape, np.dtype(np.float32))
            caffe_rng().uniform(0, 1, draws)
            pool_draws.drawn_forward(x, self.windows, draws, self._positions, y)
        elif pool == PoolingParameter.STOCHASTIC:
            pool_draws.weighted_forward(x, self.windows, y)
        else:
            pool_maxima.max_forward(x, self.windows, self._work(x, y), y)
        if len(top) > 1:
            pool_maxima.max_positions(x, self.windows, _planes(top[1].data))

    def _work(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What max_forward works in."""
        height, width = (size + kernel - 1 for size, kernel in zip(y.shape[1:], self._kernel, strict=True))
        elements = height * width if self._stride == (1, 1) else x.shape[2]
        return scratch((numba.get_num_threads(), 2, apart(elements, x.dtype)), x.dtype)

    def _windows_are_pairs(self, windows: tuple[int, ...], pixels: tuple[int, ...]) -> bool:
        """Whether they are 2 x 2, and each pixel lies in one."""
        return (self.windows == (2, 2, 0)).all() and pixels[1:] == (2 * windows[1], 2 * windows[2])

    def _windows_are_small(self, dtype: np.dtype) -> bool:
        """Whether their pixels had better ask for them: few do so at once, and in vectors."""
        kernel, stride, _ = self.windows.T
        small, overlap = kernel.prod() <= SMALL, (kernel >= stride).all()
        return bool(dtype == np.float32 and small and overlap and stride[1] <= 2)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        if self.over_more_axes:
            return self.over_more_axes.backward(top, propagate_down, bottom)
        if not top[0].count:
            bottom[0].diff[...] = 0
            return
        diff, bottom_diff = _planes(top[0].diff), _planes(bottom[0].diff)
        pool = self.layer_param.pooling_param.pool
        if pool == PoolingParameter.MAX and self._windows_are_pairs(diff.shape, bottom_diff.shape):
            pool_maxima.max_backward_of_pairs(_planes(bottom[0].data), diff, bottom_diff)
        elif pool in (PoolingParameter.MAX, PoolingParameter.AVE) and self._windows_are_small(diff.dtype):
            maxima = pool == PoolingParameter.MAX
            x = _planes(bottom[0].data) if maxima else bottom_diff  # averages do not read it
            pool_gradients.pool_gradients(x, self.windows, maxima, diff, bottom_diff)
        elif pool == PoolingParameter.AVE:
            pool_averages.average_backward(diff, self.windows, bottom_diff)
        elif self._draws():
            pool_draws.drawn_backward(self._positions, diff, bottom_diff)
        elif pool == PoolingParameter.STOCHASTIC:
            x, y = _planes(bottom[0].data), _planes(top[0].data)
            pool_draws.weighted_backward(x, self.windows, y, diff, bottom_diff)
        else:
            pool_maxima.max_backward(_planes(bottom[0].data), self.windows, diff, bottom_diff)


def rounds_up(param: PoolingParameter) -> bool:
    """Whether the number of windows is rounded up; ceil_mode is what several forks have in place of round_mode."""
    return param.ceil_mode if param.HasField("ceil_mode") else param.round_mode == PoolingParameter.CEIL


def _planes(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
