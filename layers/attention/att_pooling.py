"""AttPooling: what is around each pixel, or in the whole map, weighed by maps of attention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.attention.taps import Square
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import AttPoolingParameter


def _flat(maps: np.ndarray) -> np.ndarray:
    """N x C x H x W as N x C x H W."""
    return maps.reshape(*maps.shape[:2], maps.shape[2] * maps.shape[3])


@register("AttPooling")
class AttPooling(Layer):
    """The weighted sum of k x k pixels, k = kernel_size and `dilation` apart, with other weights at each pixel.

    bottom[0]: N x C x H x W; bottom[1]: N x k k x H' x W' weights; top: N x C x H' x W'. LOCAL: the pixels are those of
    a window around each pixel, as Convolution has them (pad, stride), and H' x W' windows there are. GLOBAL: they are
    those of the one window that there is in all, of the whole map unless kernel_size is given, and H' x W' may be any;
    H and W are equal. Padding counts 0. Raises LayerError for shapes and params that do not fit.
    Source: AttPoolingLayer of PiCANet (nian-liu), which has it on the GPU only; Liu et al., PiCANet: Learning
    Pixel-wise Contextual Attention (2018), equations 2 and 4.
    """

    reads = ("att_pooling_param",)
    origin = "PiCANet"
    bottom_count = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.att_pooling_param
        self.is_global = self.param.att_mode == AttPoolingParameter.GLOBAL
        if min(self.param.stride, self.param.dilation) < 1 or self.param.HasField("kernel_size") > (
            self.param.kernel_size > 0
        ):
            raise self.error("kernel_size, stride and dilation must be at least 1")
        if not self.is_global and not self.param.HasField("kernel_size"):
            raise self.error("att_mode: LOCAL needs a kernel_size")
        if self.is_global and self.param.stride != 1:
            raise self.error(f"att_mode: GLOBAL has one window; stride is {self.param.stride}, remove it")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, weights = (blob.shape for blob in bottom)
        if len(x) != 4 or len(weights) != 4 or x[0] != weights[0]:
            raise self.error(
                f"the bottoms have the shapes {x} and {weights}; expected N x C x H x W, N x k k x H' x W'"
            )
        if self.is_global and x[2] != x[3]:
            raise self.error(f"att_mode: GLOBAL needs a map as high as wide; bottom[0] has the shape {x}")
        kernel = self.param.kernel_size if self.param.HasField("kernel_size") else x[2]
        self.window = Square(kernel, self.param.stride, self.param.pad, self.param.dilation)
        counts = self.window.count(x[2]), self.window.count(x[3])
        wanted = (1, 1) if self.is_global else weights[2:]
        if weights[1] != kernel * kernel or counts != wanted:
            raise self.error(
                f"bottom[1] has the shape {weights}; windows of {kernel} x {kernel} pixels need {kernel * kernel} "
                f"channels, and there are {counts[0]} x {counts[1]} of them in {x}"
                + ", of which att_mode: GLOBAL takes 1 x 1"
                * self.is_global
            )
        self.counts = counts
        top[0].reshape(*x[:2], *weights[2:])

    def _taps(self, x: Blob):
        return self.window.taps(x.shape[2:], self.counts)

    def _columns(self, array: np.ndarray, x: Blob) -> np.ndarray:
        """The pixels of the one window, N x C x k k."""
        columns = np.zeros((*x.shape[:2], self.window.kernel**2), x.dtype)
        for k, _, places in self._taps(x):
            columns[:, :, k] = array[places][:, :, 0, 0]
        return columns

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, weights, y = bottom[0].data, bottom[1].data, top[0].data
        if self.is_global:
            np.matmul(self._columns(x, bottom[0]), _flat(weights), out=_flat(y))
            return
        y[...] = 0
        for k, windows, places in self._taps(bottom[0]):
            y[windows] += x[places] * weights[:, k, None][windows]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        (x, weights), diff = (blob.data for blob in bottom), top[0].diff
        if self.is_global:
            return self._backward_global(_flat(diff), propagate_down, bottom)
        if propagate_down[0]:
            x_diff = bottom[0].diff
            x_diff[...] = 0
            for k, windows, places in self._taps(bottom[0]):
                x_diff[places] += diff[windows] * weights[:, k, None][windows]
        if propagate_down[1]:
            weights_diff = bottom[1].diff
            weights_diff[...] = 0
            for k, windows, places in self._taps(bottom[0]):
                np.einsum(
                    "nchw,nchw->nhw",
                    x[places],
                    diff[windows],
                    out=weights_diff[:, k][windows],
                )

    def _backward_global(
        self, diff: np.ndarray, propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        x, weights = bottom
        if propagate_down[0]:
            columns = diff @ _flat(weights.data).swapaxes(1, 2)
            x.diff[...] = 0
            for k, _, places in self._taps(x):
                x.diff[places][:, :, 0, 0] += columns[:, :, k]
        if propagate_down[1]:
            np.matmul(self._columns(x.data, x).swapaxes(1, 2), diff, out=_flat(weights.diff))
