"""A Convolution and what follows it, from tiles that are finished while they are in registers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.product import product_row, suits
from caffe_compat.engines.fast.steps.slices import Slices
from caffe_compat.engines.fast.steps.small_maps import SmallMaps
from caffe_compat.engines.fast.steps.step import (
    LEAST_NUMBERS,
    LEAST_PRODUCTS,
    Blobs,
    Calls,
    Row,
    Step,
    parts_of,
)
from caffe_compat.engines.fast.steps.tiles import pack_for_tiles, tiles_row
from caffe_compat.engines.fast.steps.winograd_rows import WinogradTiles
from caffe_compat.layers.base import TEST, Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.convolution_depthwise import ConvolutionDepthwise
from caffe_compat.layers.convolution.depthwise_convolution import DepthwiseConvolution
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.layers.kernels import step_channels
from caffe_compat.layers.kernels.filter_tile import tile_height
from caffe_compat.layers.kernels.micro_kernel import ROWS
from caffe_compat.layers.kernels.planes import AROUND, BEFORE
from caffe_compat.layers.kernels.step_planes import SIDE, planes


class Filtering(Step):
    """Convolution of two spatial axes, then perhaps the sum with another blob, then followers; or of three in a TEST
    net, then followers.

    summed: where the layers hold an Eltwise that adds another blob, its place among them and the number of that bottom.
    """

    def __init__(self, layers: Sequence[Layer], summed: tuple[int, int] | None = None):
        super().__init__(layers)
        convolution = layers[0]
        assert isinstance(convolution, Convolution)
        self._convolution, self._summed = convolution, summed
        self._followers = Followers([layer for layer in layers[1:] if not isinstance(layer, Eltwise)])
        self._packed: np.ndarray = np.empty(0, np.float32)
        # brings the filters, each by its scale, into the form that the rows read; None: they are read as they are
        self._pack: Callable[[np.ndarray, np.ndarray], None] | None = None

    @staticmethod
    def fits(layer: Layer) -> bool:
        if type(layer) not in (Convolution, DepthwiseConvolution, ConvolutionDepthwise):
            return False
        assert isinstance(layer, Convolution)
        return layer.channel_axis == 1 and len(layer.layer_param.top) == 1

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        if len(self._convolution.geometry.kernel) == 2:
            return not self._convolves_first(bottoms[0][0], tops[-1][0])
        return self._has_volumes()

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, (bottom, top) = self._convolution, (bottoms[0][0], tops[-1][0])
        self.pointed = []
        if not bottom.count:
            return None
        if self._has_volumes():
            slices = Slices(layer.geometry, bottom, top)
            return self._in_slices(slices, threads) if slices.fit else None
        if len(layer.geometry.kernel) != 2:
            return None
        if self._sees_all(bottom, top):
            return [self._product(bottom, top, threads)]
        if self._has_small_planes():
            return [self._planes(bottom, top, threads)]
        if self._convolves_first(bottom, top):
            return self._convolve_first(bottoms, tops, threads)
        return self._filter(layer.geometry, bottom, top, self._added(bottoms), threads)

    def _has_volumes(self) -> bool:
        layer = self._convolution
        is_alone = layer.group == 1 and self._summed is None
        return len(layer.geometry.kernel) == 3 and is_alone and layer.phase == TEST

    def _in_slices(self, slices: Slices, threads: int) -> list[Row]:
        self._slices = slices  # rows point to its memory
        filtering = self._filter(slices.geometry, slices.images, slices.outs, 0, threads)
        return slices.rows(self, threads, filtering)

    def _added(self, bottoms: Blobs) -> Blob | int:
        return bottoms[self._summed[0]][self._summed[1]] if self._summed else 0

    def _sees_all(self, bottom: Blob, top: Blob) -> bool:
        """Whether each filter has one window, which is the image: then it is an InnerProduct of a few rows."""
        geometry = self._convolution.geometry
        return (
            self._convolution.group == 1
            and self._summed is None
            and geometry.kernel == bottom.shape[2:]
            and geometry.dilation == (1, 1)
            and top.shape[2:] == (1, 1)
            and not any(geometry.pad)
            and suits(bottom.shape[0], bottom.count)
        )

    def _product(self, bottom: Blob, top: Blob, threads: int) -> Row:
        filters = self._convolution.blobs[0]
        self.pointed, self._pack = [filters], None
        return product_row(self, bottom, top, filters, threads, **self._followers.fields(filters.shape[0]))

    def _has_small_planes(self) -> bool:
        """Whether each channel has one filter of 3 x 3, and strides that step_planes.py knows."""
        layer, geometry = self._convolution, self._convolution.geometry
        return (
            layer.blobs[0].shape[:2] == (layer.group, 1)
            and geometry.kernel == (SIDE, SIDE)
            and geometry.stride in ((1, 1), (2, 2))
            and geometry.dilation == (1, 1)
            and geometry.pad[1] <= BEFORE
            and self._summed is None
        )

    def _planes(self, bottom: Blob, top: Blob, threads: int) -> Row:
        channels, geometry = self._convolution.group, self._convolution.geometry
        self._packed, self._pack = np.empty((channels, geometry.elements), np.float32), self._scaled
        return self.row(
            function=planes(geometry.stride[0], math.prod(bottom.shape[2:])),
            parts=parts_of(top.count * geometry.elements * 2, LEAST_PRODUCTS, threads),
            images=bottom.shape[0], groups=channels, height=bottom.shape[2], width=bottom.shape[3],
            out_height=top.shape[2], out_width=top.shape[3],
            stride_h=geometry.stride[0], stride_w=geometry.stride[1],
            starts=-np.array(geometry.pad, np.int64), bottom=bottom, top=top, filters=self._packed,
            scratch_size=bottom.shape[3] + AROUND, **self._followers.fields(channels),
        )  # fmt: skip

    def _scaled(self, filters: np.ndarray, scale: np.ndarray) -> None:
        np.multiply(filters.reshape(self._packed.shape), scale[:, None], out=self._packed)

    def _convolves_first(self, bottom: Blob, top: Blob) -> bool:
        """Whether the layer knows a way of its own that takes fewer products than tiles do."""
        if self._transformed(self._convolution.geometry, bottom, top) is not None:
            return False
        return self._convolution.algorithm.is_faster(bottom.shape, top.shape)

    def _convolve_first(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls:
        bottom, top = bottoms[0][0], tops[-1][0]
        outputs = top.shape[1]
        self._pack = None
        finish = self.row(
            function=step_channels.channels,
            parts=parts_of(top.count, LEAST_NUMBERS, threads),
            images=top.shape[0], channels=outputs, width=math.prod(top.shape[2:]), bottom=top, top=top,
            added=self._added(bottoms), **self._followers.fields(outputs),
        )  # fmt: skip
        return [lambda: self._convolution.convolve(bottom, top, None), finish]

    def _transformed(self, geometry: ConvGeometry, bottom: Blob, top: Blob) -> WinogradTiles | None:
        """Winograd's tiles, if filters are transformed once, when they are loaded."""
        layer, tiles = self._convolution, WinogradTiles(geometry, bottom.shape, top.shape)
        return tiles if layer.group == 1 and layer.phase == TEST and tiles.fit else None

    def _filter(
        self, geometry: ConvGeometry, bottom: Blob, top: Blob, added: Blob | int, threads: int
    ) -> list[Row]:
        """By Winograd's tiles, by those of small maps, or by tiles of outputs."""
        tiles = self._transformed(geometry, bottom, top)
        if tiles is not None and tiles.pay():
            return self._winograd(tiles, bottom, top, added, threads)
        maps = SmallMaps(geometry, bottom.shape, top.shape)
        parts = parts_of(top.count * maps.depth, LEAST_PRODUCTS, threads)
        if self._convolution.group == 1 and maps.pay(parts):
            return self._small_maps(maps, bottom, top, added, parts)
        return [self._tiles(geometry, bottom, top, added, threads)]

    def _winograd(
        self, tiles: WinogradTiles, bottom: Blob, top: Blob, added: Blob | int, threads: int
    ) -> list[Row]:
        height = tile_height(tiles.outputs, threads)
        self._packed = tiles.packed(height)
        self._pack = partial(tiles.transform, packed=self._packed)
        fields = self._followers.fields(tiles.outputs)
        return tiles.rows(self, threads, self._packed, bottom=bottom, top=top, added=added, **fields)

    def _small_maps(
        self, maps: SmallMaps, bottom: Blob, top: Blob, added: Blob | int, parts: int
    ) -> list[Row]:
        self._packed = maps.packed()
        self._pack = partial(pack_for_tiles, packed=self._packed)
        fields = {"added": added, **self._followers.fields(maps.outputs)}
        return maps.calls(self, parts, self._packed, bottom=bottom, top=top, **fields)

    def _tiles(self, geometry: ConvGeometry, bottom: Blob, top: Blob, added: Blob | int, threads: int) -> Row:
        fields = {"added": added, **self._followers.fields(top.shape[1], more=ROWS)}
        row, self._packed = tiles_row(self, geometry, self._convolution.group, bottom, top, threads, **fields)
        self._pack = partial(pack_for_tiles, packed=self._packed)
        return row

    def load(self) -> None:
        filters, *biases = (blob.data for blob in self._convolution.blobs)
        self._followers.load(*biases)
        if self._pack is not None:
            self._pack(filters.reshape(len(filters), -1, *filters.shape[-2:]), self._followers.scale)
