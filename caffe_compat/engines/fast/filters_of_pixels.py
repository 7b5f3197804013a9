"""Convolutions whose filters see one pixel, in the processor's tile registers (see kernels/pixel_products.py)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numba
import numpy as np

from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels import pixel_products as kernels
from caffe_compat.layers.kernels.scratch import scratch_parts
from caffe_compat.layers.kernels.tile_products import DEPTH, PANELS, are_enough
from caffe_compat.layers.kernels.tile_registers import SIDE, STEP, TILE, panel_numbers

SUMS = 2**18  # that a thread works on at a time (1 MB), or has for itself of a gradient
FILTERS = 2**21  # numbers of filters that are laid out at a time (12 MB)
PANEL = panel_numbers(DEPTH)


class FiltersOfPixels(Im2colConvolution):
    """Computes what Im2colConvolution does, for filters of 1 x 1, all images at once. Few products fall back to it."""

    @staticmethod
    def fits(geometry: ConvGeometry, group: int, filters: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether it can take the place of an Im2colConvolution with filters of this shape."""
        is_plain = dtype == np.float32 and group == 1 and geometry.elements == 1 and not any(geometry.pad)
        return is_plain and are_enough(filters[0], filters[1])

    def is_faster(self, images: Sequence[int], outs: Sequence[int]) -> bool:
        return _pay(images, outs)

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        if not _pay(images.shape, outs.shape):
            super().forward(images, filters, bias, outs)
            return
        if bias is None:
            bias = np.zeros(len(filters), np.float32)
        _filter(_flat(self._seen(images, outs)), _matrix(filters), False, bias, _flat(outs))

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        if not _pay(image_diffs.shape, out_diffs.shape):
            super().image_gradient(out_diffs, filters, image_diffs)
            return
        seen = image_diffs
        if not self._geometry.are_pixels:
            seen = np.empty((*image_diffs.shape[:2], *out_diffs.shape[2:]), np.float32)
        _filter(_flat(out_diffs), _matrix(filters), True, np.zeros(filters.shape[1], np.float32), _flat(seen))
        if seen is image_diffs:
            return
        image_diffs[...] = 0
        for columns, image_diff in zip(_flat(seen), image_diffs, strict=True):
            self._geometry.add_columns(columns, 0, out_diffs.shape[2:], image_diff)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        if not _pay(images.shape, out_diffs.shape):
            super().add_filters_gradient(images, out_diffs, filters_diff)
            return
        _add_gradient(_flat(self._seen(images, out_diffs)), _flat(out_diffs), _matrix(filters_diff))

    def _seen(self, images: np.ndarray, outs: np.ndarray) -> np.ndarray:
        """The pixels of images that windows see."""
        if self._geometry.are_pixels:
            return images
        seen = np.empty((*images.shape[:2], *outs.shape[2:]), np.float32)
        for image, columns in zip(images, _flat(seen), strict=True):
            self._geometry.to_columns(image, 0, outs.shape[2:], columns)
        return seen


def _pay(images: Sequence[int], outs: Sequence[int]) -> bool:
    """Whether images and outs of these shapes are enough to lay out filters for."""
    return are_enough(outs[1], images[0] * math.prod(outs[2:]))


def _filter(
    images: np.ndarray, filters: np.ndarray, turned: bool, bias: np.ndarray, outs: np.ndarray
) -> None:
    """outs (N x M x pixels) = filters (M x C; turned: C x M) times images (N x C x pixels) + bias."""
    threads, channels = numba.get_num_threads(), images.shape[1]
    columns = -(-images.shape[2] // TILE) * TILE * len(images)
    for some in _rows_at_once(outs.shape[1], channels):
        rows = -(-(some.stop - some.start) // SIDE)
        wide = max(1, min(PANELS, SUMS // (rows * SIDE**2), -(-columns // (threads * SIDE))))
        lefts, infinite, rights, sums, stages = scratch_parts(
            [
                (rows, panel_numbers(channels)),
                (rows,),
                (threads, wide, PANEL),
                (threads, rows * SIDE, wide * SIDE),
                (threads, SIDE, SIDE),
            ],
            np.dtype(np.float32),
        )
        part = np.ascontiguousarray(filters[:, some] if turned else filters[some])
        kernels.lay_out_filters(part, turned, lefts, infinite)
        kernels.filter_pixels(
            *(part, turned, lefts, infinite, images, bias[some]),
            *(threads, rights, sums, stages, outs[:, some]),
        )


def _rows_at_once(count: int, depth: int) -> Iterator[slice]:
    """The rows of filters of this depth that are laid out at a time."""
    rows = max(1, FILTERS // (depth * SIDE)) * SIDE
    for begin in range(0, count, rows):
        yield slice(begin, min(begin + rows, count))


def _add_gradient(images: np.ndarray, diffs: np.ndarray, total: np.ndarray) -> None:
    """total (M x C) += diffs (N x M x pixels) times images (N x C x pixels), summed over all pixels."""
    threads, (outputs, channels) = numba.get_num_threads(), total.shape
    rows, columns = -(-outputs // TILE) * TILE, -(-channels // TILE) * TILE
    steps = -(-images.shape[2] // STEP) * len(images)
    cuts = (min(threads, steps), 1) if rows * columns <= SUMS else (1, threads)
    wide = min(PANELS, -(-channels // (cuts[1] * SIDE)))
    lefts, rights, stages, sums = scratch_parts(
        [(threads, PANEL), (threads, wide, PANEL), (threads, SIDE, SIDE), (cuts[0], rows, columns)],
        np.dtype(np.float32),
    )
    kernels.sum_pixels(diffs, images, cuts, lefts, rights, stages, sums)
    kernels.add_sums(sums, total)


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(*images.shape[:2], -1)


def _matrix(filters: np.ndarray) -> np.ndarray:
    return filters.reshape(len(filters), -1)
