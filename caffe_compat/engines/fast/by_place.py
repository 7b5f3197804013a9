"""Convolutions of many small images, which leave out what lies in the padding (see layers/kernels/places.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numba
import numpy as np

from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels import places as kernels
from caffe_compat.layers.kernels.conv_gradients import add_filters, pack_taps
from caffe_compat.layers.kernels.scratch import apart, scratch_parts
from caffe_compat.layers.kernels.sum_tile import MOST, WIDTH, sum_tile, tile_rows
from caffe_compat.layers.kernels.vectors import LANES

TOGETHER = 8  # images whose products with their gradients are summed up at a time
BLOCK = 2**17  # numbers of so many images or outputs (512 kB), which a core's cache has to hold
LEAST = 2**19  # products of a tap; filters have to be packed each time
FLOAT = np.dtype(np.float32)


class ByPlace(Im2colConvolution):
    """Computes what Im2colConvolution does, a place of several images at a time, with stride and dilation 1.

    Few images and large ones fall back to it.
    """

    @staticmethod
    def fits(geometry: ConvGeometry, group: int, filters: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether it can take the place of an Im2colConvolution with filters of this shape."""
        return (
            dtype == np.float32
            and len(geometry.kernel) == 2
            and geometry.elements > 1
            and {*geometry.stride, *geometry.dilation} == {1}
            and all(pad < kernel for pad, kernel in zip(geometry.pad, geometry.kernel, strict=True))
            and min(filters[0] // group, filters[1]) >= LANES
        )

    def is_faster(self, images: Sequence[int], outs: Sequence[int]) -> bool:
        return pays(images, outs)

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        if not pays(images.shape, outs.shape):
            super().forward(images, filters, bias, outs)
            return
        for g, group in enumerate(self._of_groups(filters)):
            by_channels = np.ascontiguousarray(group.transpose(1, 0, 2, 3))
            self._filter(images, by_channels, self._geometry.pad, 1, outs, g)
        if bias is not None:
            outs += bias[:, None, None]

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        if not pays(image_diffs.shape, out_diffs.shape):
            super().image_gradient(out_diffs, filters, image_diffs)
            return
        (kernel_h, kernel_w), (pad_h, pad_w) = self._geometry.kernel, self._geometry.pad
        pad = kernel_h - 1 - pad_h, kernel_w - 1 - pad_w
        for g, group in enumerate(self._of_groups(filters)):
            self._filter(out_diffs, group, pad, -1, image_diffs, g)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        if not pays(images.shape, out_diffs.shape):
            super().add_filters_gradient(images, out_diffs, filters_diff)
            return
        threads, channels = numba.get_num_threads(), filters_diff.shape[1]
        outputs = len(filters_diff) // self._group
        width, kernel, pad = _width(channels), *self._arrays(self._geometry.pad)
        rows, out_panels = tile_rows(width), -(-outputs // WIDTH)
        tiles = -(-channels // width) * self._geometry.elements * -(-width // rows)
        layouts, out_layouts, sums = scratch_parts(
            [
                (threads, _layout(images.shape, channels, TOGETHER)),
                (threads, _layout(out_diffs.shape, out_panels * WIDTH, TOGETHER)),
                (threads, tiles, out_panels, rows, WIDTH),
            ],
            FLOAT,
        )
        for g, group in enumerate(self._of_groups(filters_diff)):
            kernels.sum_places(
                *(images, g * channels, channels, width, out_diffs, g * outputs, outputs, kernel, pad),
                *(sum_tile(rows, outputs, together=True), TOGETHER, layouts, out_layouts, sums),
            )
            add_filters(sums, 1, width, group)

    def _filter(
        self,
        images: np.ndarray,
        filters: np.ndarray,
        pad: tuple[int, ...],
        step: int,
        outs: np.ndarray,
        g: int,
    ) -> None:
        """outs = the filters of group g (channels x outputs x kernel_h x kernel_w), by step -1 from their last tap on,
        over images that are so padded."""
        threads, (channels, outputs) = numba.get_num_threads(), filters.shape[:2]
        width, rows, taps = _width(channels), tile_rows(len(images)), self._taps()
        packed, layouts, stages = scratch_parts(
            [
                (-(-outputs // WIDTH), len(taps), channels, WIDTH),
                (threads, _layout(images.shape, channels, rows)),
                (threads, rows, math.prod(outs.shape[2:]) * WIDTH + LANES),
            ],
            FLOAT,
        )
        pack_taps(filters, taps[::step].copy(), packed)
        offsets = _offsets(taps, channels, images.shape[2:], rows)
        kernels.filter_places(
            *(images, g * channels, channels, width, packed, *self._arrays(pad), offsets),
            *(sum_tile(rows, outputs, together=False), layouts, stages, g * outputs, outputs, outs),
        )

    def _of_groups(self, filters: np.ndarray) -> np.ndarray:
        return filters.reshape(self._group, -1, *filters.shape[1:])

    def _arrays(self, pad: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self._geometry.kernel, np.int64), np.array(pad, np.int64)

    def _taps(self) -> np.ndarray:
        """int64, taps x 2: row and column of each element of the kernel."""
        return np.indices(self._geometry.kernel).reshape(2, -1).T.copy()


def pays(images: Sequence[int], outs: Sequence[int]) -> bool:
    """Whether there are enough images of this shape, small enough, for outs of this shape."""
    block = TOGETHER * max(math.prod(images[1:]), math.prod(outs[1:]))
    return images[0] >= TOGETHER and block <= BLOCK and math.prod(outs) * images[1] >= LEAST


def _width(channels: int) -> int:
    """The channels of a panel of a layout."""
    return channels if channels < 2 * WIDTH else WIDTH


def _layout(images: Sequence[int], channels: int, together: int) -> int:
    """The numbers of a block of so many images with so many channels, and of what a tile reads beyond."""
    width = _width(channels)
    return apart(-(-channels // width) * width * math.prod(images[2:]) * together + MOST)


def _offsets(taps: np.ndarray, channels: int, size: Sequence[int], together: int) -> np.ndarray:
    """int64, taps x channels: where in a block of images of this size each finds its number."""
    width, c = _width(channels), np.arange(channels)
    pixels = (taps[:, 0] * size[1] + taps[:, 1]) * together * width
    panels = c // width * math.prod(size) * together * width
    return (pixels[:, None] + panels + c % width).reshape(-1)
