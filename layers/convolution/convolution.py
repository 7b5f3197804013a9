"""Convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.fit import check_fit
from caffe_compat.layers.common.learnable import ShapeAndFiller, count_of, set_up_params
from caffe_compat.layers.convolution.conv_geometry import read_geometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels.bias import add_sums
from caffe_compat.layers.registry import register


@register("Convolution")
class Convolution(Layer):
    """top[i] = filters * bottom[i] + bias, for any number of bottoms of one shape, one top each.

    bottom: N x C x H x W (with `axis`: any axes before the channels), or any other number of spatial axes behind
    the channels; top: N x num_output x H' x W' with H' = (H + 2 pad - extent) / stride + 1,
    extent = dilation (kernel - 1) + 1, and W' likewise; where one is 0 the top is empty, and a warning says so.
    params: filters num_output x C / group x kernel_h x kernel_w; bias num_output, unless bias_term is false. `engine`
    and `force_nd_im2col` change nothing.
    Raises LayerError for params that do not fit the bottoms.

    Source: Caffe's BaseConvolutionLayer and ConvolutionLayer.
    """

    reads: tuple[str, ...] | None = ("convolution_param",)
    bottom_count: tuple[int, int | None] = (1, None)
    top_count: tuple[int, int | None] = (1, None)
    equal_bottom_top = True
    without_effect: tuple[str, ...] = ("convolution_param.force_nd_im2col",)
    param_axes: tuple[tuple[str, ...], ...] = (("output", "input", "row", "column"), ("output",))
    _algorithm_class = Im2colConvolution

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.convolution_param
        self.channel_axis = canonical_axis(self, param.axis, bottom[0])
        self.geometry = read_geometry(self, len(bottom[0].shape) - self.channel_axis - 1)
        self._channels = bottom[0].shape[self.channel_axis]
        self._num_output, self.group = self._outputs_and_groups()
        group = self.group
        if group < 1 or self._num_output % group or self._channels % group:
            raise self.error(
                f"num_output {self._num_output} and the {self._channels} channels of the bottom must be "
                f"multiples of group {group}"
            )
        self.algorithm = self._algorithm_class(self.geometry, group)
        params: list[ShapeAndFiller] = [(self._filters_shape(group), param.weight_filler)]
        if param.bias_term:
            params.append(((self._num_output,), param.bias_filler))
        set_up_params(self, *params)

    def _outputs_and_groups(self) -> tuple[int, int]:
        param = self.layer_param.convolution_param
        return count_of(self, param), param.group

    def _filters_shape(self, group: int) -> tuple[int, ...]:
        return self._num_output, self._channels // group, *self.geometry.kernel

    def _spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The top's, for a bottom's."""
        return self.geometry.output_shape(shape)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        axes = self.channel_axis + 1 + len(self.geometry.kernel)
        if len(shape) != axes or shape[self.channel_axis] != self._channels:
            raise self.error(
                f"the bottom has the shape {shape}, expected {axes} axes with "
                f"{self._channels} channels on axis {self.channel_axis}"
            )
        for blob in bottom[1:]:
            if blob.shape != shape:
                raise self.error(f"the bottoms have the shapes {shape} and {blob.shape}; they must be equal")
        spatial = self._spatial_shape(shape[self.channel_axis + 1 :])
        check_fit(self, spatial, str(self.geometry), shape)
        self._image_shape = shape[self.channel_axis :]
        self._out_shape = self._num_output, *spatial
        for blob in top:
            blob.reshape(*shape[: self.channel_axis], *self._out_shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bias = self._bias()
        for below, above in zip(bottom, top, strict=True):
            self.convolve(below, above, bias)

    def convolve(self, bottom: Blob, top: Blob, bias: np.ndarray | None) -> None:
        """top = filters * bottom + bias, whatever bias the params have."""
        if not (bottom.count and top.count):
            self._outs(top.data)[...] = (
                0 if bias is None else bias.reshape(-1, *[1] * len(self.geometry.kernel))
            )
            return
        images, outs = self._images(self._numbers(bottom)), self._outs(top.data)
        self.algorithm.forward(images, self._filters(), bias, outs)

    def _filters(self) -> np.ndarray:
        """Those that the bottoms are multiplied by."""
        return self.blobs[0].data

    def _bias(self) -> np.ndarray | None:
        """That which is added; None where there is none."""
        return self.blobs[1].data if len(self.blobs) > 1 else None

    def _numbers(self, bottom: Blob) -> np.ndarray:
        """Those of a bottom that are multiplied by the filters."""
        return bottom.data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        filters = self.blobs[0]
        for below, above, down in zip(bottom, top, propagate_down, strict=True):
            out_diffs = self._outs(above.diff)
            if len(self.blobs) > 1 and self.propagates_to(1):
                add_sums(
                    out_diffs.reshape(*out_diffs.shape[:2], math.prod(out_diffs.shape[2:])),
                    self.blobs[1].diff,
                )
            if not (below.count and above.count):
                if down:
                    below.diff[...] = 0
                continue
            if self.propagates_to(0):
                self.algorithm.add_filters_gradient(
                    self._images(self._numbers(below)), out_diffs, filters.diff
                )
            if down:
                self.algorithm.image_gradient(out_diffs, self._filters(), self._images(below.diff))

    def _images(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(math.prod(array.shape[: self.channel_axis]), *self._image_shape)

    def _outs(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(math.prod(array.shape[: self.channel_axis]), *self._out_shape)
