"""Convolutions of 3 x 3 with stride 1, and of 5 x 5 or 6 x 6 with stride 2, in a fraction of the products."""

from __future__ import annotations

from collections.abc import Iterator

import numba
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.filtering import Filtering
from caffe_compat.layers.kernels import winograd as kernels
from caffe_compat.layers.kernels.blas import has_sgemm, one_thread_blas
from caffe_compat.layers.kernels.scratch import scratch_parts
from caffe_compat.layers.windows import Windows

LEAST_CHANNELS, LEAST_TILES = 96, 64  # below, transforming costs more than it saves
ELEMENTS = 2**23  # of transformed tiles and their products at a time (32 MB)


class Winograd(Filtering):
    """What Filtering computes, for one group of filters of 3 x 3, stride 1 and dilation 1, in float32.

    What is small falls back to Filtering. The largest error is about 1e-5 of the largest value, 4e-7 of Filtering.
    Source: see kernels/winograd.py.
    """

    @staticmethod
    def fits(windows: Windows, group: int, dtype: np.dtype) -> bool:
        """Whether it can take the place of a Filtering."""
        one = (1, 1)
        return (
            has_sgemm()
            and dtype == np.float32
            and group == 1
            and (windows.kernel, windows.stride, windows.dilation) == ((3, 3), one, one)
            and windows.pad[0] == windows.pad[1] <= 2
        )

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        if not self._pays(images, outs):
            super().forward(images, filters, bias, outs)
            return
        if bias is None:
            bias = np.zeros(outs.shape[1], np.float32)
        grid, threads = _grid(outs), numba.get_num_threads()
        u_shape = (kernels.POINTS, *filters.shape[:2])
        for begin, (u, v, y) in self._blocks_of_tiles(outs, u_shape, images.shape[1], outs.shape[1]):
            if begin == 0:
                kernels.transform_filters(filters, threads, u)
            kernels.transform_tiles(kernels.B_T, images, *grid, begin, self._pad, threads, v)
            with one_thread_blas():
                kernels.multiply_points(False, True, v, u, np.float32(0), y)
            kernels.write_outputs(y, bias, *grid, begin, threads, outs)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        if not self._pays(images, out_diffs):
            super().add_filters_gradient(images, out_diffs, filters_diff)
            return
        grid, threads = _grid(out_diffs), numba.get_num_threads()
        u_shape = (kernels.POINTS, *filters_diff.shape[:2])
        for begin, (u, v, d) in self._blocks_of_tiles(
            out_diffs, u_shape, images.shape[1], out_diffs.shape[1]
        ):
            kernels.transform_tiles(kernels.B_T, images, *grid, begin, self._pad, threads, v)
            kernels.transform_tiles(kernels.A, out_diffs, *grid, begin, 0, threads, d)
            with one_thread_blas():
                kernels.multiply_points(True, False, d, v, np.float32(begin > 0), u)
        kernels.add_filters(u, threads, filters_diff)

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        if not self._pays(image_diffs, out_diffs):
            super().image_gradient(out_diffs, filters, image_diffs)
            return
        image_diffs[...] = 0
        grid, threads = _grid(out_diffs), numba.get_num_threads()
        u_shape = (kernels.POINTS, *filters.shape[:2])
        for begin, (u, d, v) in self._blocks_of_tiles(
            out_diffs, u_shape, out_diffs.shape[1], image_diffs.shape[1]
        ):
            if begin == 0:
                kernels.transform_filters(filters, threads, u)
            kernels.transform_tiles(kernels.A, out_diffs, *grid, begin, 0, threads, d)
            with one_thread_blas():
                kernels.multiply_points(False, False, d, u, np.float32(0), v)
            kernels.add_pixels(v, *grid, begin, self._pad, threads, image_diffs)

    @property
    def _pad(self) -> int:
        return self._windows.pad[0]

    def _pays(self, images: np.ndarray, outs: np.ndarray) -> bool:
        return _pays(images.shape[1], outs)

    def _blocks_of_tiles(
        self, outs: np.ndarray, u_shape: tuple[int, ...], before: int, after: int
    ) -> Iterator[tuple[int, list[np.ndarray]]]:
        """The first tile of each block, and memory: u_shape (kept), and 36 x tiles x before, 36 x tiles x after."""
        tiles = _tiles(outs)
        most = min(tiles, max(1, ELEMENTS // (kernels.POINTS * (before + after))))
        for begin in range(0, tiles, most):
            count = min(most, tiles - begin)
            shapes = [u_shape, (kernels.POINTS, count, before), (kernels.POINTS, count, after)]
            yield begin, scratch_parts(shapes, np.dtype(np.float32))


class PhasedWinograd(Filtering):
    """What Filtering computes, for filters of 5 x 5 or 6 x 6 with stride 2: as 3 x 3 over four times the channels.

    A phase of an image has every second row and column. Row 2 a + i of a filter sees row y + a of phase i, so that each
    phase sees a filter of 3 x 3 (with zeros where 5 x 5 has no sixth row or column), with stride 1.
    """

    @staticmethod
    def fits(windows: Windows, group: int, dtype: np.dtype) -> bool:
        """Whether it can take the place of a Filtering."""
        return (
            has_sgemm()
            and dtype == np.float32
            and group == 1
            and windows.kernel in ((5, 5), (6, 6))
            and (windows.stride, windows.dilation) == ((2, 2), (1, 1))
            and windows.pad[0] == windows.pad[1]
        )

    def __init__(self, windows: Windows, group: int):
        super().__init__(windows, group)
        self._inner = Winograd(Windows((3, 3), (1, 1), (0, 0), (1, 1)), 1)
        self._phases, self._small = Blob(), Blob()

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        if not _pays(4 * images.shape[1], outs):
            super().forward(images, filters, bias, outs)
            return
        self._inner.forward(self._phases_of(images, outs), self._split(filters), bias, outs)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        if not _pays(4 * images.shape[1], out_diffs):
            super().add_filters_gradient(images, out_diffs, filters_diff)
            return
        small = self._small_memory(filters_diff)
        small[...] = 0
        self._inner.add_filters_gradient(self._phases_of(images, out_diffs), out_diffs, _merged(small))
        kernels.add_split_filters(small, filters_diff)

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        if not _pays(4 * image_diffs.shape[1], out_diffs):
            super().image_gradient(out_diffs, filters, image_diffs)
            return
        phases = self._memory(image_diffs, out_diffs)
        self._inner.image_gradient(out_diffs, self._split(filters), _merged(phases))
        kernels.from_phases(phases, self._windows.pad[0], image_diffs)

    def _split(self, filters: np.ndarray) -> np.ndarray:
        """The filters of the phases: M x 4 C x 3 x 3."""
        small = self._small_memory(filters)
        kernels.split_filters(filters, small)
        return _merged(small)

    def _small_memory(self, filters: np.ndarray) -> np.ndarray:
        self._small.reshape(len(filters), 4, filters.shape[1], 3, 3)
        return self._small.data

    def _phases_of(self, images: np.ndarray, outs: np.ndarray) -> np.ndarray:
        phases = self._memory(images, outs)
        kernels.to_phases(images, self._windows.pad[0], phases)
        return _merged(phases)

    def _memory(self, images: np.ndarray, outs: np.ndarray) -> np.ndarray:
        """Room for the phases: N x 4 x C x (H' + 2) x (W' + 2), what the outputs see."""
        self._phases.reshape(len(images), 4, images.shape[1], outs.shape[2] + 2, outs.shape[3] + 2)
        return self._phases.data


def _pays(channels: int, outs: np.ndarray) -> bool:
    return min(channels, outs.shape[1]) >= LEAST_CHANNELS and _tiles(outs) >= LEAST_TILES


def _merged(array: np.ndarray) -> np.ndarray:
    """The four phases as four times the channels."""
    return array.reshape(len(array), -1, *array.shape[3:])


def _grid(outs: np.ndarray) -> tuple[int, int]:
    """Tiles in a column and in a row of an image."""
    return -(-outs.shape[2] // kernels.OUTPUTS), -(-outs.shape[3] // kernels.OUTPUTS)


def _tiles(outs: np.ndarray) -> int:
    rows, columns = _grid(outs)
    return outs.shape[0] * rows * columns
