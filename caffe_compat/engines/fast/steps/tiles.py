"""The row of a convolution by tiles of outputs (see layers/kernels/filter_images.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.layout import BAND, READ_BEYOND, Cover, Layout
from caffe_compat.engines.fast.steps.step import LEAST_PRODUCTS, Row, Step, parts_of
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels.filter_images import filter_images
from caffe_compat.layers.kernels.filter_tile import WIDE, filter_tile, tile_height
from caffe_compat.layers.kernels.lay_out import lay_out
from caffe_compat.layers.kernels.micro_kernel import ROWS, VECTORS
from caffe_compat.layers.kernels.vectors import LANES

NEAR = 2**15  # numbers of pixels (128 kB) that stay in a core's cache beside those of filters
PAGE = 2**10  # numbers (4 kB): what lies so far apart falls into one place of a core's first cache


def tiles_row(
    step: Step, geometry: ConvGeometry, group: int, bottom: Blob, top: Blob, threads: int, **fields: Any
) -> tuple[Row, np.ndarray]:
    """The row for a top of this shape, and the memory for its filters, which `pack_for_tiles` fills.

    fields: of what becomes of the sums: added, and those of Followers, for ROWS more.
    """
    (images, channels, height, width), (_, outputs, out_height, out_width) = bottom.shape, top.shape
    channels, outputs = channels // group, outputs // group
    depth = channels * geometry.elements
    products = top.count * depth
    work = products * (8 if outputs == 1 else 1)  # of one filter most is layout
    parts = parts_of(work, LEAST_PRODUCTS, threads)
    whole = Layout(geometry, out_width, out_height)
    band, splits = _cut(whole, channels, images * group, outputs, outputs * depth, parts, geometry.are_pixels)
    rows = tile_height(outputs, splits)
    vectors = WIDE if rows == 1 else VECTORS
    layout = Layout(geometry, out_width, band)
    plane, pitch = (height * width, width) if geometry.are_pixels else (layout.plane, layout.pitch)
    cover = Cover.of(band, out_width, pitch, vectors)
    last = Cover.of(out_height - (out_height - 1) // band * band, out_width, pitch, vectors)
    has_narrow = vectors == VECTORS == 2 and not (cover.masks.all() and last.masks.all())
    phases, offsets = len(layout.phases), layout.offsets(channels)
    if geometry.are_pixels:  # the image is its own layout
        phases, offsets = 0, np.arange(channels) * plane
    columns, together = vectors * LANES, 0
    if _pays_in_panels(geometry, channels, height * width, outputs):
        together = min(len(cover.places), max(1, NEAR // (depth * columns)))
    offsets = np.concatenate([offsets, np.arange(depth) * columns])
    starts = np.concatenate([cover.starts, np.arange(vectors) * LANES])
    packed = np.zeros((group, -(-outputs // rows), depth, rows), np.float32)
    row = step.row(
        function=filter_images, parts=parts,
        lay_out=0 if geometry.are_pixels else lay_out(geometry.stride[1]),
        tile=filter_tile(rows, vectors),
        narrow_tile=filter_tile(rows, 1) if has_narrow else 0,
        images=images, groups=group, channels=channels, outputs=outputs,
        height=height, width=width, out_height=out_height, out_width=out_width,
        stride_h=geometry.stride[0], stride_w=geometry.stride[1],
        phases=phases, pitch=pitch, plane=plane, depth=depth,
        band=band, splits=splits, rows=rows, vectors=vectors,
        bottom=bottom, top=top, filters=packed, **fields,
        offsets=offsets, starts=layout.starts, vector_starts=starts, masks=cover.masks_of_tiles, places=cover.places,
        panels=len(cover.places), last_panels=len(last.places), last_masks=last.masks_of_tiles,
        together=together, scratch_size=channels * phases * plane + together * depth * columns + READ_BEYOND,
    )  # fmt: skip
    return row, packed


def _pays_in_panels(geometry: ConvGeometry, channels: int, area: int, outputs: int) -> bool:
    """Whether filters find pixels sooner where these are laid out for a tile, one behind the other: it costs time for
    each number of a filter, and saves some for each output. It takes many filters where strides spread pixels over
    phases. Single pixels are found worst in planes (of `area` pixels) where vectors do not begin with a cache line, or
    where all planes want the same place of the cache."""
    if not geometry.are_pixels:
        return outputs >= 20 * ROWS and max(geometry.stride) > 1
    if outputs <= 2 * ROWS:
        return False
    return 2 * outputs >= channels or area % PAGE == 0 or (area % LANES != 0 and outputs >= 10 * ROWS)


def _cut(
    whole: Layout, channels: int, images: int, outputs: int, weights: int, parts: int, direct: bool
) -> tuple[int, int]:
    """The output rows of a band, and into how many parts the filters are cut."""
    height = whole.band
    laid_out = channels * len(whole.phases) * whole.plane
    bands = 1 if direct else min(height, -(-laid_out // BAND))
    if images * bands % parts == 0:
        return -(-height // bands), 1
    if weights > laid_out and outputs >= parts:  # each thread reads its own filters only
        return -(-height // bands), parts
    bands = min(height, -(-bands // parts) * parts)
    return -(-height // bands), 1


def pack_for_tiles(filters: np.ndarray, scale: np.ndarray, packed: np.ndarray) -> None:
    """packed (group x panels x depth x rows) = the filters (outputs first), each by its scale; not the rows beyond."""
    group, _, depth, rows = packed.shape
    scaled = filters.reshape(len(scale), depth) * scale[:, None]
    for of_group, panels in zip(scaled.reshape(group, -1, depth), packed, strict=True):
        whole = len(of_group) // rows
        in_panels = of_group[: whole * rows].reshape(whole, rows, depth)
        panels[:whole] = in_panels.transpose(0, 2, 1)
        if rest := len(of_group) - whole * rows:
            panels[whole, :, :rest] = of_group[whole * rows :].T
