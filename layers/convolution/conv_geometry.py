"""How a kernel slides over an image, of any number of spatial axes; and the params that say it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.sizes import sizes
from caffe_compat.layers.kernels.im2col import col2im, im2col
from caffe_compat.layers.kernels.im2col_nd import col2im_nd, im2col_nd


@dataclass(frozen=True)
class ConvGeometry:
    """The kernel's size, and stride, pad and dilation: pixels along each spatial axis.

    Arrays, C-contiguous: image C x D1 x D2 ...; columns (C * the kernel's elements) x (the windows of some rows),
    a row being what has one place along the first spatial axis.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]

    def __str__(self) -> str:
        return f"a kernel of {self.kernel} with dilation {self.dilation} and pad {self.pad}"

    @cached_property
    def elements(self) -> int:
        """How many of an image's pixels a window has in each channel."""
        return math.prod(self.kernel)

    @cached_property
    def are_pixels(self) -> bool:
        """Whether each pixel is one window, so that an image is its own columns."""
        return {*self.kernel, *self.stride} <= {1} and not any(self.pad)

    @cached_property
    def array(self) -> np.ndarray:
        """int64, 4 x the axes, as kernels take it."""
        return np.array([self.kernel, self.stride, self.pad, self.dilation], np.int64)

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """How many windows there are along each axis of an image whose spatial axes have this shape."""
        # C++ truncates towards zero, so a window may hang over the padding by less than a stride
        return tuple(
            int((size + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1
            for size, kernel, stride, pad, dilation in zip(shape, *self._fields(), strict=True)
        )

    def input_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The smallest image that so many windows cover, less its padding."""
        return tuple(
            stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad
            for size, kernel, stride, pad, dilation in zip(shape, *self._fields(), strict=True)
        )

    def _fields(self) -> tuple[tuple[int, ...], ...]:
        return self.kernel, self.stride, self.pad, self.dilation

    def to_columns(self, image: np.ndarray, row: int, out_shape: Sequence[int], columns: np.ndarray) -> None:
        """columns = the windows of the output's rows from `row` on, as many as there is room for; padding is 0."""
        if len(self.kernel) == 2:
            im2col(image, self.array, row, out_shape[1], columns)
        else:
            sizes, outs = np.array(image.shape[1:]), self._block(out_shape, columns)
            im2col_nd(_flat(image), sizes, self.array, row, outs, columns)

    def add_columns(self, columns: np.ndarray, row: int, out_shape: Sequence[int], image: np.ndarray) -> None:
        """Add every element of the columns to the pixel that `to_columns` takes it from, if it lies inside."""
        if len(self.kernel) == 2:
            col2im(columns, self.array, row, out_shape[1], image)
        else:
            sizes, outs = np.array(image.shape[1:]), self._block(out_shape, columns)
            col2im_nd(columns, sizes, self.array, row, outs, _flat(image))

    def _block(self, out_shape: Sequence[int], columns: np.ndarray) -> np.ndarray:
        """How many windows of the block there are along each axis."""
        rest = tuple(out_shape[1:])
        return np.array((columns.shape[1] // math.prod(rest), *rest))


def _flat(image: np.ndarray) -> np.ndarray:
    return image.reshape(image.shape[0], -1)


def read_geometry(layer: Layer, axes: int) -> ConvGeometry:
    """The windows of the layer's convolution_param over so many spatial axes. Raises LayerError.

    A field is given once, or once an axis, or over two axes as kernel_h and kernel_w and so on. A dilation of 0 is 1
    where the kernel is 1: Caffe takes it, and nothing depends on it.
    """
    param = layer.layer_param.convolution_param
    kernel = sizes(layer, param, axes, "kernel_size", "kernel", default=0, least=1)
    dilation = sizes(
        layer, param, axes, "dilation", "", default=1, least=int(any(size > 1 for size in kernel))
    )
    return ConvGeometry(
        kernel,
        sizes(layer, param, axes, "stride", "stride", default=1, least=1),
        sizes(layer, param, axes, "pad", "pad", default=0, least=0),
        tuple(max(step, 1) for step in dilation),
    )
