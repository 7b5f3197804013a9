"""Rows of a convolution of small maps (see layers/kernels/step_small_maps.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.engines.fast.steps.layout import Cover, Layout
from caffe_compat.engines.fast.steps.step import Row, Step
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels import step_small_maps as kernels
from caffe_compat.layers.kernels.lay_out import lay_out
from caffe_compat.layers.kernels.micro_kernel import ROWS, VECTORS
from caffe_compat.layers.kernels.sum_tile import WIDTH, asking_tile
from caffe_compat.layers.kernels.vectors import LANES

LEAST_ROWS = ROWS // 2  # of a tile: with fewer, it waits for its sums
BAND = 2**18  # numbers of maps (1 MB) that stay in a core's second cache while all filters are read
TOGETHER = 256  # outputs of a panel of filters (32 kB) that stay in a core's first cache
LEAST_WORK = 2**23  # products of an image (a tenth of a millisecond), for which it is worth to compile this
GAIN = 0.95  # how full the tiles of outputs may be, at most, of what those of filters are


class SmallMaps:
    """How maps are cut into tiles: whole rows of outputs, as many as there is room for."""

    def __init__(self, geometry: ConvGeometry, bottom: Sequence[int], top: Sequence[int]):
        self.images, self.channels, self.height, self.width = bottom
        self.outputs, self.out_height, self.out_width = top[1:]
        self.layout = Layout(geometry, self.out_width, self.out_height)
        self.rows = min(ROWS // self.out_width, self.out_height)
        self.panels, self.depth = -(-self.outputs // WIDTH), self.channels * geometry.elements

    def pay(self, parts: int) -> bool:
        """Whether their tiles are fuller than those of outputs, which threads share likewise."""
        if self.rows * self.out_width < LEAST_ROWS or self.panels < parts:
            return False
        area = self.out_height * self.out_width
        if self.outputs * area * self.depth < LEAST_WORK:
            return False
        cover = Cover.of(self.out_height, self.out_width, self.layout.pitch, VECTORS)
        mine = self.outputs / (-(-self.panels // parts) * parts * WIDTH)
        return area / (len(cover.masks) * LANES) < GAIN * mine

    def packed(self) -> np.ndarray:
        """Memory for the filters."""
        return np.zeros((1, self.panels, self.depth, WIDTH), np.float32)

    def calls(self, step: Step, parts: int, packed: np.ndarray, **fields: Any) -> list[Row]:
        """A row that lays the maps out, unless they are pixels, and one that filters them."""
        geometry, layout = self.layout.geometry, self.layout
        phases, plane_step = len(layout.phases), layout.plane + LANES
        if geometry.are_pixels:
            phases, plane_step = 0, layout.plane
        planes = self.channels * max(phases, 1)
        both = dict(
            parts=parts, images=self.images, channels=self.channels, outputs=self.outputs, height=self.height,
            width=self.width, stride_h=geometry.stride[0], phases=phases, pitch=layout.pitch, plane=layout.plane,
            plane_step=plane_step, depth_step=planes * plane_step, bottom=fields.pop("bottom"),
            shared_size=self.images * planes * plane_step if phases else 0,
        )  # fmt: skip
        left, area = self.out_height % self.rows, self.out_height * self.out_width
        together = max(1, min(self.images, TOGETHER // area))
        filter_them = step.row(
            function=kernels.filter_maps, **both, **fields,
            out_height=self.out_height, out_width=self.out_width, depth=self.depth, rows=self.rows,
            together=together, band=max(together, BAND // (planes * plane_step)),
            tile=asking_tile(self.rows, self.out_width, VECTORS),
            narrow_tile=asking_tile(left, self.out_width, VECTORS) if left else 0,
            filters=packed, offsets=layout.offsets(self.channels, step=plane_step), units=np.ones(1, np.float32),
            scratch_size=kernels.scratch_of(together, area),
        )  # fmt: skip
        if not phases:
            return [filter_them]
        lay_them_out = step.row(
            function=kernels.lay_out_maps, lay_out=lay_out(geometry.stride[1]), starts=layout.starts,
            **both,
        )  # fmt: skip
        return [lay_them_out, filter_them]
