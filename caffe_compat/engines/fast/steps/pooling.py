"""Pooling by maxima and averages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.layout import BAND, READ_BEYOND, Layout, plane_masks
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Row, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels import step_large_windows, step_small_windows
from caffe_compat.layers.kernels.lay_out import BY_VECTORS, lay_out
from caffe_compat.layers.kernels.planes import AROUND, BEFORE
from caffe_compat.layers.kernels.pool_averages import count_elements
from caffe_compat.layers.kernels.step_pooled_planes import SIDES, STRIDES, pooled_planes
from caffe_compat.layers.kernels.vectors import LANES
from caffe_compat.layers.pooling import Pooling
from caffe_compat.prototxt.caffe_pb2 import PoolingParameter

# of a window, so many that vectors take them sooner than a layout of pixels that are far apart
MANY_COLUMNS = 7


class Pools(Step):
    """Pooling over two axes, with one top."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return (
            type(layer) is Pooling
            and layer.over_more_axes is None
            and layer.layer_param.pooling_param.pool in (PoolingParameter.MAX, PoolingParameter.AVE)
            and len(layer.layer_param.top) == 1
        )

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        (bottom,), (top,), layer = bottoms[0], tops[0], self.layers[0]
        assert isinstance(layer, Pooling)
        if not bottom.count:
            return None
        is_maximum = layer.layer_param.pooling_param.pool == PoolingParameter.MAX
        return [
            pooled(self, is_maximum, layer.windows, bottom, top, bottom.shape[2:], top.shape[2:], threads)
        ]


def pooled(
    step: Step,
    is_maximum: bool,
    windows: np.ndarray,
    bottom: Blob,
    top: Blob,
    size: Sequence[int],
    out_size: Sequence[int],
    threads: int,
) -> Row:
    """The row for planes of a size, whatever axes the blobs have; windows (int64): kernel, stride and pad of rows, and
    of columns."""
    kernel, stride, pad = (tuple(int(n) for n in row) for row in windows.T)
    layout = Layout(ConvGeometry(kernel, stride, pad, (1, 1)), out_size[1], out_size[0])
    fields = dict(
        parts=parts_of(bottom.count, LEAST_NUMBERS // 4, threads), images=bottom.count // math.prod(size),
        height=size[0], width=size[1], out_height=out_size[0], out_width=out_size[1],
        stride_h=stride[0], stride_w=stride[1], bottom=bottom, top=top,
        **({} if is_maximum else _scale(windows, size, out_size)),
    )  # fmt: skip
    few = layout.plane > LANES * math.prod(out_size)  # outputs, of large windows
    if few or (stride[1] not in BY_VECTORS and kernel[1] >= MANY_COLUMNS):
        function = step_large_windows.maxima if is_maximum else step_large_windows.averages
        return step.row(function=function, windows=windows, **fields)
    if _has_planes(kernel, stride, pad):
        function = pooled_planes(int(is_maximum), kernel[0], stride[0])
        starts = -windows[:, 2]
        return step.row(function=function, starts=starts, scratch_size=size[1] + AROUND, **fields)
    return _small_windows(step, is_maximum, layout, fields)


def _scale(windows: np.ndarray, size: Sequence[int], out_size: Sequence[int]) -> dict[str, np.ndarray]:
    """Of averages: one over the number of elements of each window, and numbers that may be read behind them."""
    counts = np.empty(tuple(out_size), np.float32)
    count_elements(windows, size[0], size[1], counts)
    with np.errstate(divide="ignore"):  # a window that lies outside has none: 0 / 0 is Caffe's average
        return {"scale": np.concatenate([1 / counts.reshape(-1), np.zeros(LANES, np.float32)])}


def _small_windows(step: Step, is_maximum: bool, layout: Layout, fields: dict[str, Any]) -> Row:
    function = step_small_windows.maxima if is_maximum else step_small_windows.averages
    (height, width), a_plane = layout.geometry.kernel, len(layout.phases) * layout.plane
    chunk = max(1, min(-(-fields["images"] // fields["parts"]), BAND // a_plane))
    masks = plane_masks(fields["out_height"], fields["out_width"], layout.pitch, layout.plane, chunk)
    # taps of the last rows of the last plane, which are no outputs, are read beyond it
    offsets, along, room = layout.offsets(1, chunk), 0, chunk * a_plane + layout.plane + READ_BEYOND
    if layout.geometry.stride == (1, 1) and 2 * (height + width) < height * width:
        offsets, along, room = np.arange(height) * layout.pitch, width, 2 * (room + width)
    return step.row(
        function=function, lay_out=lay_out(fields["stride_w"]),
        channels=chunk, phases=len(layout.phases), pitch=layout.pitch, plane=layout.plane,
        band=fields["out_height"], depth=len(offsets), offsets=offsets, local_size=along,
        starts=layout.starts, masks=masks, scratch_size=room, **fields,
    )  # fmt: skip


def _has_planes(kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]) -> bool:
    """Whether windows are as step_pooled_planes.py knows them."""
    squares = kernel[0] == kernel[1] and stride[0] == stride[1]
    return squares and kernel[0] in SIDES and stride[0] in STRIDES and pad[1] <= BEFORE
