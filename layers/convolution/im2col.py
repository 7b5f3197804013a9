"""Windows of an image as columns: the first half of a convolution, as a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.fit import check_fit
from caffe_compat.layers.convolution.conv_geometry import read_geometry
from caffe_compat.layers.registry import register


@register("Im2col")
class Im2col(Layer):
    """top[n, (c, i, j), y, x] = pixel (i, j) of channel c in the window of output (y, x), 0 outside the image.

    bottom: N x C x H x W (with `axis`: any axes before the channels), or any other number of spatial axes behind
    the channels, at least one; top: N x C kernel_h kernel_w x H' x W', H' and W' as Convolution has them. The
    params are in convolution_param. Raises LayerError for params that do not fit the bottom.

    Source: Caffe's Im2colLayer.
    """

    reads = ("convolution_param",)
    without_effect = tuple(
        f"convolution_param.{field}"
        for field in ("num_output", "bias_term", "group", "weight_filler", "bias_filler", "force_nd_im2col")
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._axis = canonical_axis(self, self.layer_param.convolution_param.axis, bottom[0])
        axes = len(bottom[0].shape) - self._axis - 1
        if axes < 1:
            raise self.error(
                f"a bottom of shape {bottom[0].shape} has no spatial axes after axis {self._axis}"
            )
        self._geometry = read_geometry(self, axes)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        axes = self._axis + 1 + len(self._geometry.kernel)
        if len(shape) != axes:
            raise self.error(f"the bottom has the shape {shape}, expected {axes} axes")
        self._out_shape = self._geometry.output_shape(shape[self._axis + 1 :])
        check_fit(self, self._out_shape, str(self._geometry), shape)
        self._channels = shape[self._axis] * self._geometry.elements
        top[0].reshape(*shape[: self._axis], self._channels, *self._out_shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for image, columns in zip(self._images(bottom[0].data), self._columns(top[0].data), strict=True):
            self._geometry.to_columns(image, 0, self._out_shape, columns)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        bottom[0].diff[...] = 0
        for columns, image in zip(self._columns(top[0].diff), self._images(bottom[0].diff), strict=True):
            self._geometry.add_columns(columns, 0, self._out_shape, image)

    def _images(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(math.prod(array.shape[: self._axis]), *array.shape[self._axis :])

    def _columns(self, array: np.ndarray) -> np.ndarray:
        outer = math.prod(array.shape[: self._axis])
        return array.reshape(outer, self._channels, math.prod(self._out_shape))
