"""The gradients of a convolution of images in float32, right from images that are laid out pixel by pixel."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numba
import numpy as np

from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels import conv_gradients as kernels
from caffe_compat.layers.kernels.scratch import scratch_parts
from caffe_compat.layers.kernels.sum_tile import MOST, WIDTH, sum_tile, tile_rows
from caffe_compat.layers.kernels.vectors import LANES

ELEMENTS = 2**22  # that are laid out at a time (16 MB); at least an image is
BAND = 2**16  # of a thread's part of an image, so that it stays in a cache (256 kB)
PIXELS = 96  # of an output that are summed up at a time
SUMS = 2**15  # that a thread works on at a time (128 kB)
FLOAT = np.dtype(np.float32)


def fits(geometry: ConvGeometry, group: int, filters: np.ndarray) -> bool:
    """Whether the functions here can compute the gradients, and are the fastest way: not where windows are pixels."""
    enough = 2 * (len(filters) // group) >= LANES  # outputs, to fill tiles with
    return filters.dtype == FLOAT and len(geometry.kernel) == 2 and geometry.elements > 1 and enough


def add_filters_gradient(
    geometry: ConvGeometry, group: int, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
) -> None:
    """filters_diff += the gradient. Arrays and group as Im2colConvolution takes them."""
    outputs, channels = len(filters_diff) // group, filters_diff.shape[1]
    cut = _Cut(geometry, outputs, channels, out_diffs.shape[2:])
    for begin in range(0, len(images), cut.images):
        some, diffs = images[begin : begin + cut.images], out_diffs[begin : begin + cut.images]
        x, d, sums, _ = scratch_parts(
            [(len(some), *cut.layout), (len(some), *cut.out_layout), cut.sums(len(some)), (MOST,)], FLOAT
        )
        parts = numba.get_num_threads() if len(sums) == 1 else 1
        for g in range(group):
            kernels.lay_out_images(some, g * channels, channels, -geometry.pad[0], -geometry.pad[1], x)
            kernels.lay_out_images(diffs, g * outputs, outputs, 0, 0, d)
            kernels.sum_filters(x, d, outputs, geometry.array, *cut.tiles, parts, sums)
            kernels.add_filters(sums, cut.joined, x.shape[-1], filters_diff[g * outputs : (g + 1) * outputs])


class _Cut:
    """How the gradient of the filters of a group is cut into tiles.

    images: that are laid out at a time. layout, out_layout: the shapes of an image's. joined: taps that lie one behind
    the other in a layout. tiles: arguments of `sum_filters`.
    """

    def __init__(self, geometry: ConvGeometry, outputs: int, channels: int, out_shape: tuple[int, ...]):
        width = channels if channels < 2 * WIDTH else WIDTH
        panels, out_panels = -(-channels // width), -(-outputs // WIDTH)
        seen = _seen(geometry, out_shape)
        self.layout, self.out_layout = (panels, *seen, width), (out_panels, *out_shape, WIDTH)
        self.images = max(1, ELEMENTS // (math.prod(self.layout) + math.prod(self.out_layout)))
        self.joined = geometry.kernel[1] if geometry.dilation[1] == 1 else 1
        runs = _tap_starts(geometry, seen[1])[:: self.joined].copy()
        run = self.joined * width
        rows = tile_rows(run)
        pixel_rows = max(1, min(PIXELS // out_shape[1], out_shape[0]))
        self._blocks = -(-out_shape[0] // pixel_rows)  # of an image
        self._sums = panels * len(runs) * -(-run // rows), out_panels, rows, WIDTH
        together = max(1, SUMS // math.prod(self._sums[1:]))
        self.tiles = runs, run, sum_tile(rows, outputs, together=True), pixel_rows, together

    def sums(self, images: int) -> tuple[int, ...]:
        """The shape of the sums of so many images: in several parts where there are few tiles for the threads."""
        threads = numba.get_num_threads()
        splits = 1 if self._sums[0] >= 4 * threads else min(threads, images * self._blocks)
        return splits, *self._sums


def _seen(geometry: ConvGeometry, out_shape: tuple[int, ...]) -> tuple[int, ...]:
    """How many rows and columns of a padded image all windows see together."""
    return tuple(
        stride * (size - 1) + dilation * (kernel - 1) + 1
        for size, kernel, stride, dilation in zip(
            out_shape, geometry.kernel, geometry.stride, geometry.dilation, strict=True
        )
    )


def _tap_starts(geometry: ConvGeometry, columns: int) -> np.ndarray:
    """Where each element of a window lies in an image of so many columns."""
    rows, places = (
        np.arange(kernel) * d for kernel, d in zip(geometry.kernel, geometry.dilation, strict=True)
    )
    return (rows[:, None] * columns + places).reshape(-1)


def image_gradient(
    geometry: ConvGeometry, group: int, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray
) -> None:
    """image_diffs = the gradient. Arrays and group as Im2colConvolution takes them."""
    threads, outputs, channels = numba.get_num_threads(), len(filters) // group, filters.shape[1]
    phases, taps = _phases(geometry)
    above, before = taps[:, 2].max(), taps[:, 3].max()
    tall, wide = (
        (size - 1 + pad) // stride + 1 - pad // stride  # of a phase
        for size, stride, pad in zip(image_diffs.shape[2:], geometry.stride, geometry.pad, strict=True)
    )
    width = outputs + LANES  # so that pixels do not compete for places in a cache
    most = max(1, BAND // ((wide + before) * width) - above)
    band = min(most, -(-tall // -(-2 * threads // len(out_diffs))))  # for jobs that keep all threads busy
    packed, layouts, stages = scratch_parts(
        [
            (-(-channels // WIDTH), len(taps), outputs, WIDTH),
            (threads, (band + above) * (wide + before) + MOST, width),
            (threads, band * wide + MOST, WIDTH),
        ],
        FLOAT,
    )
    for g in range(group):
        kernels.pack_taps(filters[g * outputs : (g + 1) * outputs], taps, packed)
        kernels.image_gradients(
            *(out_diffs, g * outputs, outputs, packed, geometry.array, phases, taps),
            *(sum_tile(tile_rows(wide), channels, together=False), band),
            *(layouts, stages, g * channels, channels, image_diffs),
        )


def _phases(geometry: ConvGeometry) -> tuple[np.ndarray, np.ndarray]:
    """The phases of a padded image, and the taps that meet them, as `image_gradients` takes them."""
    phases: list[tuple[int, ...]] = []
    taps: list[tuple[int, ...]] = []
    for row in range(geometry.stride[0]):
        for column in range(geometry.stride[1]):
            found = [
                (i, j, down, right)
                for i, down in _taps(geometry, 0, row)
                for j, right in _taps(geometry, 1, column)
            ]
            phases.append((row, column, len(taps), len(found)))
            taps += found
    return np.array(phases, np.int64), np.array(taps, np.int64)


def _taps(geometry: ConvGeometry, axis: int, phase: int) -> Iterator[tuple[int, int]]:
    """The kernel's elements along an axis that meet a phase, and how many outputs lie between."""
    for element in range(geometry.kernel[axis]):
        between = element * geometry.dilation[axis] - phase
        if between % geometry.stride[axis] == 0:
            yield element, between // geometry.stride[axis]
