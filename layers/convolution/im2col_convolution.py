"""The three products of filters and images: the outputs, and the gradients of the filters and of the images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from caffe_compat.layers.convolution import direct_gradients
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels.bias import fill_rows
from caffe_compat.layers.kernels.blas import add_in_parts, gemm_groups, reads_rows
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.kernels.sum_tile import WIDTH

# An image's windows are laid out for as many output rows at a time as fit into this many elements (16 MB)
COLUMNS = 2**22
# Images whose windows have few elements are taken together, up to this many (256 kB), where it is FEWEST images or
# more: calls take longer than they then. It is what products.py lays out at a time, so the numbers are the same.
TOGETHER, FEWEST = 2**16, 8


class Im2colConvolution:
    """Filters over images, as matrix products of the filters with the windows that they see, image by image.

    Gradients are computed without laying out windows where direct_gradients.py can do that.

    group: how many groups of channels see only filters of their own. Arrays, C-contiguous: images N x C x H x W;
    filters M x C / group x kernel_h x kernel_w; outs and out_diffs N x M x H' x W'; or any other spatial axes.

    Source: Caffe's BaseConvolutionLayer; Chellapilla, Puri and Simard (2006) for the layout.
    """

    def __init__(self, geometry: ConvGeometry, group: int):
        self._geometry = geometry
        self._group = group

    def is_faster(self, images: Sequence[int], outs: Sequence[int]) -> bool:
        """Whether, for images and outs of these shapes, it is faster than tiles of outputs (see filter_tile.py)."""
        return False

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        """outs = filters * images + bias."""
        if some := self._together(images, filters, outs):
            for part, out_part in _parts(some, images, outs):
                stacked = np.empty((1, len(filters), len(part), *outs.shape[2:]), outs.dtype)
                self._stacking.forward(_stacked(part), filters[:, :, None], bias, stacked)
                out_part[...] = stacked[0].swapaxes(0, 1)
            return
        for image, out in zip(images, outs, strict=True):
            matrix = _matrix(out)
            for row, block in self._blocks(image, out):
                if bias is not None:
                    fill_rows(bias, block.start, block.stop, matrix)
                columns = self._columns(image, out, row, block)
                gemm_groups(
                    *self._by_group(_matrix(filters), columns, matrix[:, block]),
                    beta=0 if bias is None else 1,
                )

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        """filters_diff += the gradient."""
        if self._is_direct(filters_diff):
            direct_gradients.add_filters_gradient(
                self._geometry, self._group, images, out_diffs, filters_diff
            )
            return
        some = self._together(images, filters_diff, out_diffs)
        if some and not reads_rows(len(filters_diff), math.prod(out_diffs.shape[2:])):  # the same numbers
            for part, out_part in _parts(some, images, out_diffs):
                self._stacking.add_by_image(_stacked(part)[0], _stacked(out_part)[0], filters_diff)
            return
        for image, out_diff in zip(images, out_diffs, strict=True):
            for row, block in self._blocks(image, out_diff):
                columns = self._columns(image, out_diff, row, block)
                d = _matrix(out_diff)[:, block]
                gemm_groups(*self._by_group(d, columns, _matrix(filters_diff)), trans_b=True, beta=1)

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        """image_diffs = the gradient."""
        if self._is_direct(filters):
            direct_gradients.image_gradient(self._geometry, self._group, out_diffs, filters, image_diffs)
            return
        if some := self._together(image_diffs, filters, out_diffs):
            for part, out_part in _parts(some, image_diffs, out_diffs):
                stacked = np.empty((1, part.shape[1], len(part), *part.shape[2:]), part.dtype)
                self._stacking.image_gradient(_stacked(out_part), filters[:, :, None], stacked)
                part[...] = stacked[0].swapaxes(0, 1)
            return
        if not self._geometry.are_pixels:
            image_diffs[...] = 0
        for image_diff, out_diff in zip(image_diffs, out_diffs, strict=True):
            for row, block in self._blocks(image_diff, out_diff):
                columns = self._column_buffer(image_diff, block)
                gemm_groups(
                    *self._by_group(_matrix(filters), _matrix(out_diff)[:, block], columns), trans_a=True
                )
                if not self._geometry.are_pixels:
                    self._geometry.add_columns(columns, row, out_diff.shape[1:], image_diff)

    def _together(self, images: np.ndarray, filters: np.ndarray, outs: np.ndarray) -> int:
        """How many images one product takes; 0: each is by itself."""
        if self._group > 1 or filters.dtype != np.float32 or 0 in (*images.shape, *outs.shape):
            return 0
        numbers = max(len(filters), filters[0].size)
        some = TOGETHER // numbers // WIDTH * WIDTH // math.prod(outs.shape[2:])
        return some if some >= FEWEST and len(images) > 1 else 0

    def _is_direct(self, filters: np.ndarray) -> bool:
        """Whether gradients are computed without columns."""
        return direct_gradients.fits(self._geometry, self._group, filters)

    @cached_property
    def _stacking(self) -> _Stacking:
        """The same over one axis more, along which images lie one behind the other."""
        g = self._geometry
        more = ConvGeometry((1, *g.kernel), (1, *g.stride), (0, *g.pad), (1, *g.dilation))
        return _Stacking(more, 1)

    def _blocks(self, image: np.ndarray, out: np.ndarray) -> Iterator[tuple[int, slice]]:
        """Blocks of output rows: the first row, and the block's columns of the output as a matrix."""
        if self._geometry.are_pixels:  # no columns are laid out
            yield 0, slice(0, math.prod(out.shape[1:]))
            return
        height, width = out.shape[1], math.prod(out.shape[2:])
        rows = max(1, COLUMNS // (self._elements(image) * width))
        for row in range(0, height, rows):
            yield row, slice(row * width, min(row + rows, height) * width)

    def _elements(self, image: np.ndarray) -> int:
        return image.shape[0] * self._geometry.elements

    def _column_buffer(self, image: np.ndarray, block: slice) -> np.ndarray:
        if self._geometry.are_pixels:
            return _matrix(image)
        return scratch((self._elements(image), block.stop - block.start), image.dtype)

    def _columns(self, image: np.ndarray, out: np.ndarray, row: int, block: slice) -> np.ndarray:
        columns = self._column_buffer(image, block)
        if not self._geometry.are_pixels:
            self._geometry.to_columns(image, row, out.shape[1:], columns)
        return columns

    def _by_group(
        self, a: np.ndarray, b: np.ndarray, out: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Three matrices for `gemm_groups`: their rows belong to the groups one after the other."""
        a, b, out = (x.reshape(self._group, len(x) // self._group, x.shape[1]) for x in (a, b, out))
        return a, b, out


class _Stacking(Im2colConvolution):
    """Images one behind the other, with the numbers of one at a time."""

    def add_by_image(self, image: np.ndarray, out_diff: np.ndarray, filters_diff: np.ndarray) -> None:
        """filters_diff += the gradient, of one image after the other along the first axis behind the channels."""
        places = math.prod(out_diff.shape[2:])
        columns = self._columns(image, out_diff, 0, slice(0, out_diff.shape[1] * places))
        add_in_parts(_matrix(out_diff), columns, _matrix(filters_diff), places)

    def _is_direct(self, filters: np.ndarray) -> bool:
        return False


def _parts(some: int, images: np.ndarray, outs: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """So many images, and what is made of them, at a time."""
    for begin in range(0, len(images), some):
        yield images[begin : begin + some], outs[begin : begin + some]


def _stacked(images: np.ndarray) -> np.ndarray:
    """One image of the channels of all, which lie one behind the other along a new axis."""
    return np.ascontiguousarray(images.swapaxes(0, 1))[None]


def _matrix(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[0], -1)
