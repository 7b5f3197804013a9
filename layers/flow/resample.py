"""Resample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import ResampleParameter

F = np.float32
REACH = {ResampleParameter.LINEAR: 2, ResampleParameter.CUBIC: 4}


@register("Resample")
class Resample(Layer):
    """Resizing as by MATLAB's imresize (resample_param).

    bottom[0]: N x C x H x W. top: N x C x height x width, or of the height and width of bottom[1], of which only the
    shape counts. type LINEAR or CUBIC: a weighted mean of the pixels around, with the triangle or the cubic of -1/2,
    widened when shrinking, unless antialias is false. type NEAREST: the pixel there. Forward only.

    With fx = W / width and fy = H / height, column i lies at i fx + fy / 2 - 1/2 and row j at j fy + fx / 2 - 1/2:
    where fx and fy differ it is moved, as there. antialias widens both axes when either shrinks. Raises LayerError for
    type AREA, which is not built there either, and where no size is given.

    Source: ResampleLayer of lmb-freiburg/flownet2, its GPU kernel: there is none for the CPU. NEAREST reads outside of
    a map where it is moved; here that is the pixel at the border. factor is read nowhere.
    """

    reads = ("resample_param",)
    without_effect = ("resample_param.factor",)
    bottom_count = (1, 2)
    has_backward = False
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.layer_param.resample_param.type == ResampleParameter.AREA:
            raise self.error(
                "type AREA is not built, there neither; take LINEAR, which smooths when shrinking"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.resample_param, bottom[0].shape
        if any(len(blob.shape) != 4 for blob in bottom) or 0 in shape[2:]:
            raise self.error(
                f"the bottoms have the shapes {[blob.shape for blob in bottom]}; expected N x C x H x W"
            )
        sizes = bottom[1].shape[2:] if len(bottom) > 1 else (param.height, param.width)
        if min(sizes) < 1:
            raise self.error(
                f"the size is {sizes[0]} x {sizes[1]}; give height and width, or a second bottom"
            )
        top[0].reshape(*shape[:2], *sizes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data, top[0].data
        fy, fx = (F(size) / F(count) for size, count in zip(x.shape[2:], y.shape[2:], strict=True))
        rows = np.arange(y.shape[2], dtype=F) * fy + fx / F(2) - F(0.5)
        columns = np.arange(y.shape[3], dtype=F) * fx + fy / F(2) - F(0.5)
        if self.layer_param.resample_param.type == ResampleParameter.NEAREST:
            i, j = (
                _round(places).clip(0, size - 1)
                for places, size in zip((rows, columns), x.shape[2:], strict=True)
            )
            y[...] = x[:, :, i[:, None], j]
            return
        widened = max(fx, fy) > 1 and self.layer_param.resample_param.antialias
        y[...] = self._mean(self._mean(x, rows, fy, widened, 2), columns, fx, widened, 3)

    def _mean(self, x: np.ndarray, places: np.ndarray, factor: F, widened: bool, axis: int) -> np.ndarray:
        """The weighted mean around each of the places along an axis."""
        kind, size = self.layer_param.resample_param.type, x.shape[axis]
        scale = F(1) / (factor if widened else F(1))
        reach = 2 if factor < 1 else int(np.ceil(F(REACH[kind]) / scale))
        weigh = _cubic if kind == ResampleParameter.CUBIC else _triangle
        side = [1] * x.ndim
        side[axis] = -1
        shape = (*x.shape[:axis], len(places), *x.shape[axis + 1 :])
        total, weights = np.zeros(shape, x.dtype), np.zeros(len(places), F)
        for step in range(-reach, reach + 1):
            pixels = _round(places) + step
            weight = np.where(
                (pixels >= 0) & (pixels < size), scale * weigh(scale * (places - pixels.astype(F))), 0
            )
            weights += weight
            part = x.take(pixels.clip(0, size - 1), axis)
            # a pixel that does not count may be NaN, as missing flow is
            total += np.where(weight.reshape(side) != 0, weight.reshape(side) * part, 0)
        divisor = np.where(weights == 0, 1, weights)
        return total / divisor.reshape(side).astype(x.dtype)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = x * x * (F(1.5) * x - F(2.5)) + F(1)
    far = x * (x * (F(-0.5) * x + F(2.5)) - F(4)) + F(2)
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _round(places: np.ndarray) -> np.ndarray:
    """Whole numbers, halves away from 0."""
    return np.trunc(places + np.copysign(F(0.5), places)).astype(np.int64)
