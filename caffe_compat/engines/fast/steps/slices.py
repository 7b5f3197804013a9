"""A convolution of volumes as one of images: a slice of the top is filtered from the slices of the bottom that it sees.

The channels of an image are all slices that the taps of one channel see, for each channel in turn, as the filters have
them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Row, Step, parts_of
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels.step_combining import copy

MOST = 2**22  # numbers of the images that are filtered at a time (16 MB), if there are several
# rows are made one by one: with more of them, slices of few pixels take longer than the layer by itself
MOST_ROWS = 2**12


class Slices:
    """The images and what filters make of them, for a geometry of three axes and blobs that have their shapes."""

    def __init__(self, geometry: ConvGeometry, bottom: Blob, top: Blob):
        self._bottom, self._top = bottom, top
        self._taps, self._stride, self._pad, self._dilation = (
            sizes[0] for sizes in (geometry.kernel, geometry.stride, geometry.pad, geometry.dilation)
        )
        self.geometry = ConvGeometry(
            *(sizes[1:] for sizes in (geometry.kernel, geometry.stride, geometry.pad, geometry.dilation))
        )
        channels, sizes = bottom.shape[1] * self._taps, bottom.shape[3:]
        self._count = bottom.shape[0] * top.shape[2]
        self._together = max(1, min(self._count, MOST // max(1, channels * math.prod(sizes))))
        self.images = Blob((self._together, channels, *sizes), np.float32)
        self.outs = Blob((self._together, top.shape[1], *top.shape[3:]), np.float32)
        self._nothing = np.zeros(math.prod(sizes), np.float32)

    @property
    def fit(self) -> bool:
        """Whether they take few rows."""
        return self._count * (self._taps + 1) <= MOST_ROWS

    def rows(self, step: Step, threads: int, filtering: Sequence[Row]) -> list[Row]:
        """Rows that make the top; filtering: those that make `outs` of `images`."""
        result: list[Row] = []
        for first in range(0, self._count, self._together):
            some = range(first, min(first + self._together, self._count))
            for number in some:
                result += self._gather(step, threads, number, number - first)
            result += filtering
            result += [self._put(step, threads, number, number - first) for number in some]
        return result

    def _gather(self, step: Step, threads: int, number: int, place: int) -> list[Row]:
        """Slice `number` of the top sees these of the bottom."""
        n, z = divmod(number, self._top.shape[2])
        channels, depth = self._bottom.shape[1:3]
        area, result = len(self._nothing), []
        for tap in range(self._taps):
            seen = z * self._stride - self._pad + tap * self._dilation
            inside = 0 <= seen < depth
            result.append(
                step.row(
                    function=copy, parts=parts_of(channels * area, LEAST_NUMBERS, threads),
                    images=channels, depth=area, plane=depth * area if inside else 0, pitch=self._taps * area,
                    bottom=(self._bottom, (n * channels * depth + seen) * area) if inside else self._nothing,
                    top=(self.images, (place * channels * self._taps + tap) * area),
                )
            )  # fmt: skip
        return result

    def _put(self, step: Step, threads: int, number: int, place: int) -> Row:
        """An image of `outs` is slice `number` of the top."""
        n, z = divmod(number, self._top.shape[2])
        outputs, depth, *sizes = self._top.shape[1:]
        area = math.prod(sizes)
        return step.row(
            function=copy, parts=parts_of(outputs * area, LEAST_NUMBERS, threads),
            images=outputs, depth=area, plane=area, pitch=depth * area,
            bottom=(self.outs, place * outputs * area), top=(self._top, (n * outputs * depth + z) * area),
        )  # fmt: skip
