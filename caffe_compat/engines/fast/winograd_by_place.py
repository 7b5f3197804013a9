"""Convolutions of 5 x 5 of many small images in a fraction of the products (see layers/kernels/winograd_places.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numba
import numpy as np

from caffe_compat.engines.fast.by_place import FLOAT, ByPlace, pays
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels import winograd_places as kernels
from caffe_compat.layers.kernels.conv_gradients import pack_taps
from caffe_compat.layers.kernels.micro_kernel import COLUMNS
from caffe_compat.layers.kernels.scratch import apart, scratch_parts
from caffe_compat.layers.kernels.sum_tile import MOST, WIDTH, sum_tile, tile_rows
from caffe_compat.layers.kernels.vectors import LANES
from caffe_compat.layers.kernels.winograd_places import KERNEL
from caffe_compat.layers.kernels.winograd_transforms import PIXELS, POINTS, SQUARE

TOGETHER = 4  # images of a block
COST = 1.5  # of a tile's products with its transforms, for that of the products


class WinogradByPlace(ByPlace):
    """Computes what ByPlace does, for filters of 5 x 5. The largest error is about 1e-5 of the largest value."""

    @staticmethod
    def fits(geometry: ConvGeometry, group: int, filters: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether it can take the place of an Im2colConvolution with filters of this shape."""
        return geometry.kernel == (KERNEL, KERNEL) and ByPlace.fits(geometry, group, filters, dtype)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        if not _pays(images.shape, self._geometry.pad, out_diffs.shape):
            super().add_filters_gradient(images, out_diffs, filters_diff)
            return
        threads, channels = numba.get_num_threads(), filters_diff.shape[1]
        outputs, rows = len(filters_diff) // self._group, tile_rows(channels)
        (tall, tiles), panels = _grid(out_diffs.shape), -(-outputs // WIDTH)
        block, points = _shapes(out_diffs.shape, channels)
        blocks, all_points, out_blocks, out_points, sums = scratch_parts(
            [
                (threads, *block),
                (threads, *points),
                (threads, tall * SQUARE, tiles * SQUARE, TOGETHER, panels * WIDTH),
                (threads, panels, POINTS, tiles * TOGETHER, WIDTH),
                (threads, POINTS, -(-channels // rows), panels, rows, WIDTH),
            ],
            FLOAT,
        )
        pad = np.array(self._geometry.pad, np.int64)
        for g, group in enumerate(self._of_groups(filters_diff)):
            kernels.sum_tiles(
                *(images, g * channels, channels, out_diffs, g * outputs, outputs, pad),
                *(sum_tile(rows, outputs, together=True), blocks, out_blocks, all_points, out_points, sums),
            )
            kernels.add_filters(sums, group)

    def _filter(
        self,
        images: np.ndarray,
        filters: np.ndarray,
        pad: tuple[int, ...],
        step: int,
        outs: np.ndarray,
        g: int,
    ) -> None:
        if not _pays(images.shape, pad, outs.shape):
            super()._filter(images, filters, pad, step, outs, g)
            return
        threads, (channels, outputs) = numba.get_num_threads(), filters.shape[:2]
        (_, tiles), panels, taps = _grid(outs.shape), -(-outputs // WIDTH), self._taps()
        block, points = _shapes(outs.shape, channels)
        packed, transformed, blocks, all_points, products, stages = scratch_parts(
            [
                (panels, len(taps), channels, WIDTH),
                (panels, POINTS, channels, WIDTH),
                (threads, *block),
                (threads, *points),
                (threads, POINTS, tiles * TOGETHER + MOST, WIDTH),
                (threads, TOGETHER, (outs.shape[2] + SQUARE) * outs.shape[3] * WIDTH + COLUMNS),
            ],
            FLOAT,
        )
        pack_taps(filters, taps[::step].copy(), packed)
        kernels.transform_filters(packed, transformed)
        kernels.filter_tiles(
            *(
                images,
                g * channels,
                channels,
                transformed,
                np.array(pad, np.int64),
                sum_tile(tile_rows(tiles * TOGETHER), outputs, together=False),
            ),
            *(blocks, all_points, products, stages, g * outputs, outputs, outs),
        )


def _shapes(outs: Sequence[int], channels: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of a block and of the points of a row of its tiles, for outs of this shape."""
    (tall, tiles), width = _grid(outs), -(-channels // COLUMNS) * COLUMNS
    beyond = PIXELS - SQUARE
    block = tall * SQUARE + beyond, tiles * SQUARE + beyond, TOGETHER, width
    return block, (POINTS, apart(tiles * TOGETHER * width + MOST))


def _grid(outs: Sequence[int]) -> tuple[int, int]:
    """The tiles in a column and in a row of an image."""
    return -(-outs[2] // SQUARE), -(-outs[3] // SQUARE)


def _pays(images: Sequence[int], pad: Sequence[int], outs: Sequence[int]) -> bool:
    """Whether tiles of outs of this shape take less time than the products with what lies inside of the images."""
    tall, tiles = _grid(outs)
    rows, columns = (
        sum(min(KERNEL, size + before - i) - max(0, before - i) for i in range(count))
        for size, before, count in zip(images[2:], pad, outs[2:], strict=True)
    )
    enough = min(math.prod(images[2:]), math.prod(outs[2:])) >= LANES  # pixels, for squares of them
    return enough and pays(images, outs) and COST * POINTS * tall * tiles <= rows * columns
