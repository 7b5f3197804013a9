"""A Convolution and what follows it, from tiles that are finished while they are in registers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.base import LEAST_NUMBERS, LEAST_PRODUCTS, Blobs, Calls, Step, shared
from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.kernels import step_functions
from caffe_compat.layers.kernels.filter_images import filter_images, pack_filters
from caffe_compat.layers.kernels.filter_tile import VECTORS, WIDE, filter_tile, tile_height
from caffe_compat.layers.kernels.micro_kernel import LANES

BAND = 2**16  # numbers of a laid-out band (256 kB), which stays in a core's cache
READ_BEYOND = (
    WIDE * LANES
)  # numbers behind a layout that the last tile may read, of columns that do not count


@dataclass(frozen=True)
class Layout:
    """How a band of `band` output rows of an image is laid out; see kernels/filter_images.py."""

    geometry: ConvGeometry
    out_width: int
    band: int

    @cached_property
    def _taps(self) -> list[tuple[int, int]]:
        (height, width), (down, right) = self.geometry.kernel, self.geometry.dilation
        return [(i * down, j * right) for i in range(height) for j in range(width)]

    def _phase(self, tap: tuple[int, int]) -> tuple[int, int]:
        return tap[0] % self.geometry.stride[0], tap[1] % self.geometry.stride[1]

    @cached_property
    def phases(self) -> list[tuple[int, int]]:
        return sorted({self._phase(tap) for tap in self._taps})

    @cached_property
    def pitch(self) -> int:
        return self.out_width + max(column for _, column in self._taps) // self.geometry.stride[1]

    @cached_property
    def plane(self) -> int:
        return (self.band + max(row for row, _ in self._taps) // self.geometry.stride[0]) * self.pitch

    def offsets(self, channels: int) -> np.ndarray:
        """int64, channels * kernel: how far behind an output's place each number of a filter finds its pixel."""
        stride = self.geometry.stride
        of_taps = [
            self.phases.index(self._phase(tap)) * self.plane
            + tap[0] // stride[0] * self.pitch
            + tap[1] // stride[1]
            for tap in self._taps
        ]
        step = len(self.phases) * self.plane
        return (np.arange(channels)[:, None] * step + np.array(of_taps)).reshape(-1)

    @cached_property
    def starts(self) -> np.ndarray:
        """int64, phases x 2: the pixel that the first output meets in each phase."""
        return np.array(self.phases, np.int64) - np.array(self.geometry.pad, np.int64)


class Filtering(Step):
    """Convolution of two spatial axes, then perhaps the sum with another blob, then followers.

    summed: where the layers hold an Eltwise that adds another blob, its place among them and the number of that bottom.
    """

    def __init__(self, layers: Sequence[Layer], summed: tuple[int, int] | None = None):
        super().__init__(layers)
        convolution = layers[0]
        assert isinstance(convolution, Convolution)
        self._convolution, self._summed = convolution, summed
        at = summed[0] if summed else len(layers)
        self._before, self._after = Followers(layers[1:at]), Followers(layers[at + 1 :])
        self._packed: np.ndarray = np.empty(0, np.float32)
        self._scale = self._bias = self._slope = np.empty(0, np.float32)

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, (bottom, top) = self._convolution, (bottoms[0][0], tops[-1][0])
        if not (bottom.count and len(layer.geometry.kernel) == 2):
            return None
        if layer.algorithm.takes_fewer_products(bottom.shape, top.shape):
            return self._convolve_first(bottoms, tops, threads)
        return [self._tiles(bottoms, tops, threads)]

    def _added(self, bottoms: Blobs) -> Blob | int:
        return bottoms[self._summed[0]][self._summed[1]] if self._summed else 0

    @property
    def _limit(self) -> float:
        return (self._after if self._summed else self._before).limit

    def _convolve_first(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls:
        """For convolutions that take fewer products than tiles do."""
        bottom, top = bottoms[0][0], tops[-1][0]
        outputs = top.shape[1]
        self._packed = np.empty((1, 0, 0, 0), np.float32)
        self._scale, self._bias, self._slope = (np.ones(outputs, np.float32) for _ in range(3))
        finish = self.row(
            function=step_functions.channels.address,
            parts=shared(top.count, LEAST_NUMBERS, threads),
            images=top.shape[0], channels=outputs, width=math.prod(top.shape[2:]), bottom=top, top=top,
            added=self._added(bottoms), scale=self._scale, bias=self._bias, slope=self._slope, limit=self._limit,
        )  # fmt: skip
        return [lambda: self._convolution.convolve(bottom, top, None), finish]

    def _tiles(self, bottoms: Blobs, tops: Blobs, threads: int) -> np.ndarray:
        layer, (images, channels, height, width) = self._convolution, bottoms[0][0].shape
        top, group = tops[-1][0], layer.group
        outputs, out_height, out_width = top.shape[1] // group, *top.shape[2:]
        channels //= group
        depth = channels * layer.geometry.elements
        rows = tile_height(outputs)
        vectors = WIDE if rows == 1 else VECTORS
        tiles = -(-outputs // rows)
        products = images * top.shape[1] * out_height * out_width * depth
        parts = shared(products, LEAST_PRODUCTS, threads)
        whole = Layout(layer.geometry, out_width, out_height)
        direct = layer.geometry.are_pixels
        band, splits = self._cut(whole, channels, images * group, outputs * depth, tiles, parts, direct)
        layout = Layout(layer.geometry, out_width, band)
        plane = height * width if direct else layout.plane
        offsets = np.arange(channels) * plane if direct else layout.offsets(channels)
        self._packed = np.empty((group, tiles, depth, rows), np.float32)
        self._bias = np.zeros(group * outputs + rows, np.float32)
        self._slope = np.ones_like(self._bias)
        return self.row(
            function=filter_images.address, parts=parts,
            tile=filter_tile(rows, vectors).address,
            narrow_tile=filter_tile(rows, 1).address if vectors == VECTORS > 1 else 0,
            images=images, groups=group, channels=channels, outputs=outputs,
            height=height, width=width, out_height=out_height, out_width=out_width,
            stride_h=layer.geometry.stride[0], stride_w=layer.geometry.stride[1],
            phases=len(layout.phases), pitch=width if direct else layout.pitch, plane=plane, depth=depth,
            band=band, splits=splits, rows=rows, vectors=vectors,
            bottom=bottoms[0][0], top=top, filters=self._packed, bias=self._bias, slope=self._slope,
            added=self._added(bottoms), limit=self._limit, offsets=offsets, starts=layout.starts,
            scratch_size=0 if direct else channels * len(layout.phases) * plane + READ_BEYOND,
        )  # fmt: skip

    @staticmethod
    def _cut(
        whole: Layout, channels: int, images: int, weights: int, tiles: int, parts: int, direct: bool
    ) -> tuple[int, int]:
        """The output rows of a band, and into how many parts the filters are cut."""
        height = whole.band
        laid_out = channels * len(whole.phases) * whole.plane
        bands = 1 if direct else min(height, -(-laid_out // BAND))
        if images * bands % parts == 0:
            return -(-height // bands), 1
        if weights > laid_out and tiles >= parts:  # each thread reads its own filters only
            return -(-height // bands), parts
        bands = min(height, -(-bands // parts) * parts)
        return -(-height // bands), 1

    def load(self) -> None:
        filters, *biases = (blob.data for blob in self._convolution.blobs)
        scale, shift = self._before.affine(len(filters), biases[0] if biases else None)
        slopes = self._before.slopes()
        if self._summed:
            slopes = self._after.slopes()
        self._bias[: len(filters)], self._slope[: len(filters)] = shift, slopes
        if not self._packed.size:
            self._scale[:] = scale
            return
        group, _, depth, rows = self._packed.shape
        matrices = filters.reshape(group, -1, depth)
        for g, scales in enumerate(scale.reshape(group, -1)):
            pack_filters(matrices[g], scales, rows, self._packed[g])
