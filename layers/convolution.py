"""Convolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.filtering import Filtering
from caffe_compat.layers.learnable import ShapeAndFiller, set_up_params
from caffe_compat.layers.registry import register


@register("Convolution")
class Convolution(Layer):
    """top[i] = filters * bottom[i] + bias, for any number of bottoms of one shape, one top each.

    bottom: N x C x H x W (with `axis`: any axes before the channels); top: N x num_output x H' x W' with
    H' = (H + 2 pad - extent) / stride + 1, extent = dilation (kernel - 1) + 1, and W' likewise.
    params: filters num_output x C / group x kernel_h x kernel_w; bias num_output, unless bias_term is false.
    `engine` and `force_nd_im2col` change nothing. Raises LayerError for params that do not fit the bottoms,
    and for other than two spatial axes.

    Source: Caffe's BaseConvolutionLayer and ConvolutionLayer.
    """

    bottom_count = (1, None)
    top_count = (1, None)
    equal_bottom_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.convolution_param
        self._axis = canonical_axis(self, param.axis, bottom[0])
        spatial_axes = len(bottom[0].shape) - self._axis - 1
        if spatial_axes != 2:
            raise self.error(
                f"a bottom of shape {bottom[0].shape} has {spatial_axes} spatial axes after axis "
                f"{self._axis}; only 2, height and width, are supported"
            )
        kernel = self._pair("kernel_size", "kernel", default=0, least=1)
        stride = self._pair("stride", "stride", default=1, least=1)
        pad = self._pair("pad", "pad", default=0, least=0)
        dilation = self._pair("dilation", "", default=1, least=1)
        self._window = kernel, stride, pad, dilation
        self._channels, self._num_output, group = bottom[0].shape[self._axis], param.num_output, param.group
        if min(self._num_output, group) < 1 or self._num_output % group or self._channels % group:
            raise self.error(
                f"num_output {self._num_output} and the {self._channels} channels of the bottom must be "
                f"multiples of group {group}"
            )
        self._filtering = Filtering(self._window, group)
        params: list[ShapeAndFiller] = [
            ((self._num_output, self._channels // group, *kernel), param.weight_filler)
        ]
        if param.bias_term:
            params.append(((self._num_output,), param.bias_filler))
        set_up_params(self, *params)

    def _pair(self, field: str, prefix: str, default: int, least: int) -> tuple[int, int]:
        """(height, width) of a field that is given once, once an axis, or as prefix_h and prefix_w."""
        param = self.layer_param.convolution_param
        given = tuple(getattr(param, field)) or (default,)
        if prefix and (param.HasField(f"{prefix}_h") or param.HasField(f"{prefix}_w")):
            if getattr(param, field):
                raise self.error(f"{field} is given, and {prefix}_h or {prefix}_w too; remove one of them")
            given = getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")
        if len(given) > 2:
            raise self.error(f"{field} is given {len(given)} times; give it once, or for height and width")
        if min(given) < least:
            raise self.error(f"{field} is {' x '.join(map(str, given))}; it must be at least {least}")
        return given[0], given[-1]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != self._axis + 3 or shape[self._axis] != self._channels:
            raise self.error(
                f"the bottom has the shape {shape}, expected {self._axis + 3} axes with "
                f"{self._channels} channels on axis {self._axis}"
            )
        for blob in bottom[1:]:
            if blob.shape != shape:
                raise self.error(f"the bottoms have the shapes {shape} and {blob.shape}; they must be equal")
        height, width = map(_output_size, shape[-2:], *self._window)
        if min(height, width) < 1:
            kernel, _, pad, dilation = self._window
            raise self.error(
                f"a kernel of {kernel} with dilation {dilation} does not fit into a bottom of shape {shape} "
                f"with pad {pad}"
            )
        self._image_shape = shape[self._axis :]
        self._out_shape = self._num_output, height, width
        for blob in top:
            blob.reshape(*shape[: self._axis], *self._out_shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        filters, *bias = (blob.data for blob in self.blobs)
        for below, above in zip(bottom, top, strict=True):
            for image, out in zip(self._images(below.data), self._outs(above.data), strict=True):
                self._filtering.forward(image, filters, bias[0] if bias else None, out)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        filters = self.blobs[0]
        for below, above, down in zip(bottom, top, propagate_down, strict=True):
            out_diffs = self._outs(above.diff)
            if len(self.blobs) > 1 and self.propagates_to(1):
                self.blobs[1].diff[...] += out_diffs.sum(axis=(0, 2, 3))
            if self.propagates_to(0):
                for image, out_diff in zip(self._images(below.data), out_diffs, strict=True):
                    self._filtering.add_filters_gradient(image, out_diff, filters.diff)
            if down:
                for out_diff, image_diff in zip(out_diffs, self._images(below.diff), strict=True):
                    self._filtering.image_gradient(out_diff, filters.data, image_diff)

    def _images(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, *self._image_shape)

    def _outs(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, *self._out_shape)


def _output_size(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    # C++ truncates towards zero, so a window may hang over the padding by less than a stride
    return int((size + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1
