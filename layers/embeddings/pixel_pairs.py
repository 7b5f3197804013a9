"""Pixels and their neighbours: what the layers share that compare the middle of a window with the rest of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import NamedTuple

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.fit import check_fit
from caffe_compat.layers.convolution.conv_geometry import read_geometry

Place = tuple[EllipsisType, slice, slice]  # of the last two axes of an array
WITHOUT_EFFECT = tuple(
    f"convolution_param.{field}"
    for field in ("num_output", "bias_term", "group", "weight_filler", "bias_filler", "force_nd_im2col")
)
NOTHING = slice(0, 0)


class Pairs(NamedTuple):
    """The pixels of one place in all windows, where the window's middle lies in the image.

    is_middle: whether the place is the middle. top: the windows. inside: those of them, among all windows, whose pixel
    lies in the image, too; middle, here: the two pixels of each of these.
    """

    is_middle: bool
    top: Place
    inside: Place
    middle: Place
    here: Place


class PixelPairs(Layer):
    """bottom: N x C x H x W; top: N x kernel_h kernel_w x H' x W', a number for each pixel of each window.

    The windows are those of convolution_param, as Convolution has them; a window's middle is its pixel (kernel_h // 2,
    kernel_w // 2). Raises LayerError for params that do not fit, and for other axes.
    """

    refused = {"convolution_param.axis": "only axis 1 is built"}

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._geometry = read_geometry(self, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}; expected N x C x H x W")
        self.out_shape = self._geometry.output_shape(shape[2:])
        check_fit(self, self.out_shape, str(self._geometry), shape)
        top[0].reshape(shape[0], self._geometry.elements, *self.out_shape)

    def pairs(self, height: int, width: int) -> Iterator[Pairs]:
        """The places of a window, row by row."""
        kernel = self._geometry.kernel
        rows = [self._along(0, i, height) for i in range(kernel[0])]
        columns = [self._along(1, j, width) for j in range(kernel[1])]
        for i, (row_top, *of_rows) in enumerate(rows):
            for j, (column_top, *of_columns) in enumerate(columns):
                inside, middle, here = ((..., *both) for both in zip(of_rows, of_columns, strict=True))
                is_middle = (i, j) == (kernel[0] // 2, kernel[1] // 2)
                yield Pairs(is_middle, (..., row_top, column_top), inside, middle, here)

    def _along(self, axis: int, offset: int, size: int) -> tuple[slice, slice, slice, slice]:
        """Along an axis: the windows whose middle is inside; those whose pixel is inside, too; and both pixels."""
        geometry = self._geometry
        kernel, stride, pad, step = (
            values[axis] for values in (geometry.kernel, geometry.stride, geometry.pad, geometry.dilation)
        )
        starts = np.arange(self.out_shape[axis]) * stride - pad
        middle, here = starts + kernel // 2 * step, starts + offset * step
        in_image = (middle >= 0) & (middle < size)
        both = np.flatnonzero(in_image & (here >= 0) & (here < size))
        if not both.size:
            return _run(np.flatnonzero(in_image)), NOTHING, NOTHING, NOTHING
        first, last = both[0], both[-1]
        middles, pixels = (slice(at[first], at[last] + 1, stride) for at in (middle, here))
        return _run(np.flatnonzero(in_image)), _run(both), middles, pixels


def _run(indices: np.ndarray) -> slice:
    return slice(indices[0], indices[-1] + 1) if indices.size else NOTHING
