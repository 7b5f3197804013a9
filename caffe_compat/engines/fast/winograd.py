"""Convolutions of 3 x 3 with stride 1 in a fraction of the products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numba
import numpy as np

from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels import winograd as kernels
from caffe_compat.layers.kernels.scratch import apart, scratch_parts
from caffe_compat.layers.kernels.winograd_transforms import OUTPUTS, POINTS

LEAST_CHANNELS, LEAST_TILES = 64, 16  # with fewer, the transforms cost more than they save
OF_FILTERS, OF_IMAGES = 112, 17  # channels for the filters' gradient, and tiles for that of the images
ELEMENTS = 2**21  # of the tiles that are transformed at a time (8 MB); at least a group of panels is


class Winograd(Im2colConvolution):
    """Computes what Im2colConvolution does, for one group of filters of 3 x 3, stride 1 and dilation 1, in float32.

    Small convolutions fall back to it. The largest error is about 1e-5 of the largest value; there it is 4e-7.
    Source: see kernels/winograd.py.
    """

    @staticmethod
    def fits(geometry: ConvGeometry, group: int, filters: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether it can take the place of an Im2colConvolution with filters of this shape."""
        one = (1, 1)
        return (
            dtype == np.float32
            and group == 1
            and (geometry.kernel, geometry.stride, geometry.dilation) == ((3, 3), one, one)
            and geometry.pad[0] == geometry.pad[1] <= 2
        )

    def is_faster(self, images: Sequence[int], outs: Sequence[int]) -> bool:
        return pays(images[1], outs)

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        if not pays(images.shape[1], outs.shape):
            super().forward(images, filters, bias, outs)
            return
        self._filter(images, filters, False, bias, self._pad, outs)

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        if not pays(image_diffs.shape[1], out_diffs.shape, tiles=OF_IMAGES):
            super().image_gradient(out_diffs, filters, image_diffs)
            return
        self._filter(out_diffs, filters, True, None, 2 - self._pad, image_diffs)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        if not pays(images.shape[1], out_diffs.shape, OF_FILTERS):
            super().add_filters_gradient(images, out_diffs, filters_diff)
            return
        channels, panels = images.shape[1], -(-images.shape[1] // kernels.COLUMNS)
        parts = _parts(len(filters_diff), panels)
        for begin, tiles in _blocks(out_diffs, channels):
            places = _places(begin, tiles, out_diffs.shape)
            v, d, y, stages = _memory(panels, tiles)
            kernels.channels_as_columns(images, places, self._pad, stages, v)
            kernels.add_filters_gradient(v, out_diffs, places, parts, d, y, stages, filters_diff)

    def _filter(
        self,
        images: np.ndarray,
        filters: np.ndarray,
        turned: bool,
        bias: np.ndarray | None,
        pad: int,
        outs: np.ndarray,
    ) -> None:
        """outs = filters * images + bias. turned: the filters are turned as the gradients of images need them."""
        if bias is None:
            bias = np.zeros(outs.shape[1], np.float32)
        channels = images.shape[1]
        for begin, tiles in _blocks(outs, channels):
            places, panels = _places(begin, tiles, outs.shape), -(-tiles // kernels.COLUMNS)
            v, u, y, stages = _memory(panels, channels)
            kernels.tiles_as_columns(images, places, pad, stages, v)
            parts = _parts(outs.shape[1], panels)
            kernels.filter_columns(v, filters, turned, bias, places, parts, u, y, stages, outs)

    @property
    def _pad(self) -> int:
        return self._geometry.pad[0]


def _blocks(outs: np.ndarray, channels: int) -> Iterator[tuple[int, int]]:
    """The blocks of tiles that are transformed at a time: the number of the first tile, and how many there are."""
    tiles = tile_count(outs.shape)
    panels = ELEMENTS // (POINTS * channels * kernels.COLUMNS)
    most = max(kernels.GROUP, panels) * kernels.COLUMNS
    for begin in range(0, tiles, most):
        yield begin, min(most, tiles - begin)


def _memory(panels: int, depth: int) -> list[np.ndarray]:
    """Memory for panels of columns of length `depth`, and for each thread two panels of rows, their products and a
    stage."""
    threads = numba.get_num_threads()
    return scratch_parts(
        [
            (POINTS, apart(panels * depth * kernels.COLUMNS)),
            (threads, POINTS, apart(2 * (depth * kernels.ROWS + kernels.SLACK))),
            (threads, kernels.GROUP, POINTS, kernels.PAIR, kernels.COLUMNS),
            (threads, kernels.STAGE, kernels.COLUMNS),
        ],
        np.dtype(np.float32),
    )


def _parts(rows: int, panels: int) -> int:
    """The number of parts that panels of columns are cut into, since few rows give the threads too few jobs."""
    threads = numba.get_num_threads()
    return min(threads, panels) if -(-rows // kernels.PAIR) < 4 * threads else 1


def pays(channels: int, outs: Sequence[int], least: int = LEAST_CHANNELS, tiles: int = LEAST_TILES) -> bool:
    """Whether a convolution with so many channels, and outs of this shape, is sooner done so: with `least` channels and
    outputs, and so many tiles."""
    return min(channels, outs[1]) >= least and tile_count(outs) >= tiles


def _grid(outs: Sequence[int]) -> tuple[int, int]:
    """The number of tiles in a column and in a row of an image."""
    return -(-outs[2] // OUTPUTS), -(-outs[3] // OUTPUTS)


def _places(begin: int, count: int, outs: Sequence[int]) -> np.ndarray:
    """int64, count x 3: image, and first row and column of outputs, of the tiles from number `begin` on. They are
    numbered along rows, images one behind the other."""
    rows, columns = _grid(outs)
    line, column = np.divmod(np.arange(begin, begin + count), columns)
    image, row = np.divmod(line, rows)
    return np.stack([image, OUTPUTS * row, OUTPUTS * column], axis=1)


def tile_count(outs: Sequence[int]) -> int:
    """The tiles of all images."""
    rows, columns = _grid(outs)
    return outs[0] * rows * columns
