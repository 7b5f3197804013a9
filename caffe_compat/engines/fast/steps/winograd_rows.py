"""Rows of a convolution by Winograd's tiles, with filters that are transformed when they are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.engines.fast.steps.layout import READ_BEYOND, Cover
from caffe_compat.engines.fast.steps.step import Row, Step
from caffe_compat.engines.fast.steps.tiles import pack_for_tiles
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels import winograd_images as kernels
from caffe_compat.layers.kernels import winograd_transforms
from caffe_compat.layers.kernels.filter_tile import filter_tile
from caffe_compat.layers.kernels.lay_out import lay_out
from caffe_compat.layers.kernels.micro_kernel import COLUMNS, VECTORS
from caffe_compat.layers.kernels.scratch import apart
from caffe_compat.layers.kernels.vectors import LANES
from caffe_compat.layers.kernels.winograd_transforms import OUTPUTS, PIXELS, POINTS

G, TAPS = np.array(winograd_transforms.G, np.float32), 3
_PHASES = np.stack(np.divmod(np.arange(OUTPUTS * PIXELS), PIXELS), 1)  # of a layout's planes: row and column

LEAST_CHANNELS = 24  # with fewer, transforms take as long as the products
MOST_FILTERS = 2**17  # larger ones would take too much memory when they are transformed: four times their own
# numbers of transformed tiles that are made at a time (4 MB), if they are not those of one row
TRANSFORMED = 2**20
LEAST_LANES = 4 * COLUMNS  # of a band: of fewer too many are no tiles
# what the products with a vector of tiles cost, reading the filters, and the transforms of a vector of a channel, as
# parts of a product with a vector of pixels, of which a filter of 3 x 3 takes 9 and one of 6 x 6 points 36
COST, COST_OF_FILTERS, COST_OF_TRANSFORMS = 1.4, 0.8, 19


class WinogradTiles:
    """How many tiles of 4 x 4 outputs a convolution of 3 x 3 has, and in which bands they are done."""

    def __init__(self, geometry: ConvGeometry, bottom: Sequence[int], top: Sequence[int]):
        self.images, self.channels, self.height, self.width = bottom
        self.outputs, self.out_height, self.out_width = top[1:]
        self.tall, self.wide = -(-self.out_height // OUTPUTS), -(-self.out_width // OUTPUTS)
        self.pad = np.array(geometry.pad, np.int64)
        of_three = (geometry.kernel, geometry.stride, geometry.dilation) == ((3, 3), (1, 1), (1, 1))
        self.fit = of_three and self.channels * self.outputs <= MOST_FILTERS  # whether they can be done so

    def pay(self) -> bool:
        """Whether they take less time than tiles of outputs."""
        if min(self.channels, self.outputs) < LEAST_CHANNELS:
            return False
        pixels = len(Cover.of(self.out_height, self.out_width, self.out_width + 2, 1).masks)
        panels = -(-self._vectors() // VECTORS)  # which are transformed whole
        transforms = COST_OF_TRANSFORMS * panels * VECTORS * (1 / self.channels + 1 / self.outputs)
        return 4 * (COST * self._vectors() + COST_OF_FILTERS + transforms) < pixels

    def _vectors(self) -> int:
        """How many the tiles fill."""
        return -(-self.tall * self.wide // LANES)

    def packed(self, rows: int) -> np.ndarray:
        """Memory for the transformed filters."""
        panels = -(-self.outputs // rows)
        return np.zeros((panels, POINTS, self.channels, rows), np.float32)

    def transform(self, filters: np.ndarray, scale: np.ndarray, packed: np.ndarray) -> None:
        """packed = the filters (outputs first), each by its scale, transformed."""
        panels, _, channels, rows = packed.shape
        taps = np.zeros((1, panels, channels * TAPS**2, rows), np.float32)
        pack_for_tiles(filters.transpose(0, 2, 3, 1), scale, taps)
        down = np.einsum("ik,pkjcr->pijcr", G, taps.reshape(panels, TAPS, TAPS, channels, rows))
        points = packed.reshape(panels, len(G), len(G), channels, rows)
        np.einsum("lj,pijcr->pilcr", G, down, out=points)

    def rows(self, step: Step, parts: int, packed: np.ndarray, **fields: Any) -> list[Row]:
        """Two rows for each band: its tiles are transformed, then multiplied with the filters."""
        lanes = self._vectors() * LANES
        wanted = -(-POINTS * self.images * lanes * self.channels // TRANSFORMED)
        bands = min(self.tall, wanted, max(1, lanes // LEAST_LANES))
        band = -(-self.tall // bands)
        return [
            row
            for first in range(0, self.tall, band)
            for row in self._band(step, parts, packed, first, min(band, self.tall - first), fields)
        ]

    def _band(
        self, step: Step, parts: int, packed: np.ndarray, first: int, band: int, fields: dict[str, Any]
    ) -> list[Row]:
        lanes, height = band * self.wide, packed.shape[-1]
        vectors, plane = -(-lanes // LANES), (band + 1) * self.wide
        panels = -(-vectors // VECTORS)
        tiles, plane_step = apart(panels * COLUMNS), apart(self.images * panels * self.channels * COLUMNS)
        both = dict(
            parts=parts, images=self.images, channels=self.channels, outputs=self.outputs, first=first,
            band=band, panels=panels, vectors=vectors, plane_step=plane_step, shared_size=POINTS * plane_step,
            out_height=self.out_height, out_width=self.out_width,
        )  # fmt: skip
        transform = step.row(
            function=kernels.transform_tiles, lay_out=lay_out(OUTPUTS), **both, bottom=fields["bottom"],
            height=self.height, width=self.width, stride_h=OUTPUTS, pitch=self.wide, plane=plane,
            offsets=_offsets(plane, self.wide), starts=_PHASES - self.pad,
            scratch_size=kernels.LAID_OUT * plane + READ_BEYOND,
        )  # fmt: skip
        multiply = step.row(
            function=kernels.filter_transformed, **both, **{k: v for k, v in fields.items() if k != "bottom"},
            tile=filter_tile(height, VECTORS),
            narrow_tile=filter_tile(height, 1) if vectors % VECTORS else 0,
            rows=height, filters=packed,
            depth_step=tiles, tile_columns=self.wide, distances=np.arange(self.channels) * COLUMNS,
            whole=np.array([*(LANES * j for j in range(VECTORS)), *[(1 << LANES) - 1] * VECTORS]),
            units=np.repeat(np.array([0, 1], np.float32), height),
            scratch_size=POINTS * height * COLUMNS
            + (-(-len(packed) // parts)) * height * kernels.PLANES * tiles + READ_BEYOND,
        )  # fmt: skip
        return [transform, multiply]


def _offsets(plane: int, pitch: int) -> np.ndarray:
    """int64, 36: how far behind a tile's place each of its pixels lies."""
    row, column = np.divmod(np.arange(POINTS), PIXELS)
    return (row % OUTPUTS * PIXELS + column) * plane + row // OUTPUTS * pitch
