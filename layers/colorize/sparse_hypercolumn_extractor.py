"""SparseHypercolumnExtractor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.colorize.places import check_places
from caffe_compat.layers.registry import register

F = np.float32
BORDER = F(1.0001)
Corner = tuple[np.ndarray, np.ndarray]  # weights and pixels, N x P each


@register("SparseHypercolumnExtractor")
class SparseHypercolumnExtractor(Layer):
    """What several maps have at places of the image, one behind the other.

    bottom[0]: N x P x 2 places, y and x in pixels of the image; bottom[1] and others: maps N x C x H x W. top: (N P) x
    the sum of all C: bilinear at ((y, x) - (offset_height, offset_width)) / scale, moved into the map, times
    activation_mult. Of these fields of sparse_hypercolumn_extractor_param scale has one number for each map; offsets
    too, or none, which are 0; activation_mult's that are missing are 1. Raises LayerError for other shapes and numbers.

    Source: SparseHypercolumnExtractorLayer of gustavla/autocolorize; Larsson et al., Learning Representations for
    Automatic Colorization (2016), section 3.2.
    """

    reads = ("sparse_hypercolumn_extractor_param",)
    bottom_count = (2, None)
    no_gradient = (0,)
    origin = "autocolorize"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, count = self.layer_param.sparse_hypercolumn_extractor_param, len(bottom) - 1
        numbers = len(param.scale), len(param.offset_height), len(param.offset_width)
        if numbers[0] != count or any(number not in (0, count) for number in numbers[1:]):
            raise self.error(
                f"there are {numbers[0]} scale, {numbers[1]} offset_height and {numbers[2]} offset_width; give one for "
                f"each of {count} maps (offsets that are all 0 may be left out)"
            )
        if not all(scale > 0 for scale in param.scale) or len(param.activation_mult) > count:
            raise self.error("a scale is not above 0, or there are more activation_mult than maps")
        self.scales = list(param.scale)
        self.offsets = [list(given) or [0.0] * count for given in (param.offset_height, param.offset_width)]
        self.factors = [*param.activation_mult, *[1.0] * (count - len(param.activation_mult))]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_places(self, bottom[0], list(bottom[1:]))
        top[0].reshape(bottom[0].num * bottom[0].shape[1], sum(blob.channels for blob in bottom[1:]))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        columns = self._columns(bottom, top[0].data)
        begin = 0
        for i, maps in enumerate(bottom[1:]):
            flat = _flat(maps.data)
            part = columns[:, :, begin : begin + maps.channels]
            part[...] = 0
            for weights, pixels in self._corners(bottom, i):
                for n in range(maps.num):
                    part[n] += (flat[n][:, pixels[n]] * weights[n]).T
            part *= part.dtype.type(self.factors[i])
            begin += maps.channels

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        seeds = self._columns(bottom, top[0].diff)
        begin = 0
        for i, maps in enumerate(bottom[1:]):
            seed = seeds[:, :, begin : begin + maps.channels] * seeds.dtype.type(self.factors[i])
            begin += maps.channels
            if not propagate_down[1 + i]:
                continue
            maps.diff[...] = 0
            flat = _flat(maps.diff)
            for weights, pixels in self._corners(bottom, i):
                for n in range(maps.num):
                    np.add.at(flat[n].T, pixels[n], seed[n] * weights[n][:, None])

    def _columns(self, bottom: Sequence[Blob], array: np.ndarray) -> np.ndarray:
        """Of the top's array, N x P x all channels."""
        return array.reshape(*bottom[0].shape[:2], array.shape[1])

    def _corners(self, bottom: Sequence[Blob], i: int) -> Iterator[Corner]:
        """The four pixels of map i around each place."""
        sizes = bottom[1 + i].shape[2:]
        rows, columns = (
            _line((bottom[0].data[:, :, axis] - F(self.offsets[axis][i])) / F(self.scales[i]), sizes[axis])
            for axis in (0, 1)
        )
        for row_weight, row in rows:
            for column_weight, column in columns:
                yield row_weight * column_weight, row * sizes[1] + column


def _flat(maps: np.ndarray) -> np.ndarray:
    """Of N x C x H x W, N x C x H W."""
    return maps.reshape(*maps.shape[:2], maps.shape[2] * maps.shape[3])


def _line(at: np.ndarray, size: int) -> list[Corner]:
    """The pixels before and behind each place, of an axis of `size`, and what each counts; NaN is the last pixel."""
    inside = np.fmax(np.fmin(at, F(size) - BORDER), F(0))
    low = inside.astype(np.int64)
    part = inside - low
    return [(1 - part, low), (part, np.minimum(low + 1, size - 1))]
