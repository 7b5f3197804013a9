"""Pooling by maxima and averages."""

from __future__ import annotations

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
            and layer.layer_param.pooling_param.pool in (PoolingParameter.MAX, PoolingParameter.AVE)
            and len(layer.layer_param.top) == 1
        )

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        (bottom,), (top,), layer = bottoms[0], tops[0], self.layers[0]
        assert isinstance(layer, Pooling)
        if len(bottom.shape) != 4 or not bottom.count:
            return None
        kernel, stride, pad = (tuple(int(n) for n in row) for row in layer.windows.T)
        layout = Layout(ConvGeometry(kernel, stride, pad, (1, 1)), top.shape[3], top.shape[2])
        images, channels, height, width = bottom.shape
        fields = dict(
            parts=parts_of(bottom.count, LEAST_NUMBERS // 4, threads), images=images * channels,
            height=height, width=width, out_height=top.shape[2], out_width=top.shape[3],
            stride_h=stride[0], stride_w=stride[1], bottom=bottom, top=top, **self._scale(layer, bottom, top),
        )  # fmt: skip
        few = layout.plane > LANES * top.shape[2] * top.shape[3]  # outputs, of large windows
        if few or (stride[1] not in BY_VECTORS and kernel[1] >= MANY_COLUMNS):
            return [self._large_windows(layer, fields)]
        if _has_planes(kernel, stride, pad):
            return [self._planes(layer, fields)]
        return [self._small_windows(layer, layout, fields)]

    def _scale(self, layer: Pooling, bottom: Blob, top: Blob) -> dict[str, np.ndarray]:
        """Of averages: one over the number of elements of each window, and numbers that may be read behind them."""
        if _of_maxima(layer):
            return {}
        (height, width), counts = bottom.shape[2:], np.empty(top.shape[2:], np.float32)
        count_elements(layer.windows, height, width, counts)
        with np.errstate(divide="ignore"):  # a window that lies outside has none: 0 / 0 is Caffe's average
            return {"scale": np.concatenate([1 / counts.reshape(-1), np.zeros(LANES, np.float32)])}

    def _large_windows(self, layer: Pooling, fields: dict[str, Any]) -> Row:
        function = step_large_windows.maxima if _of_maxima(layer) else step_large_windows.averages
        return self.row(function=function.address, windows=layer.windows, **fields)

    def _planes(self, layer: Pooling, fields: dict[str, Any]) -> Row:
        (kernel, _), (stride, _), pad = layer.windows.T
        return self.row(
            function=pooled_planes(int(_of_maxima(layer)), int(kernel), int(stride)).address,
            starts=-pad, scratch_size=fields["width"] + AROUND, **fields,
        )  # fmt: skip

    def _small_windows(self, layer: Pooling, layout: Layout, fields: dict[str, Any]) -> Row:
        function = step_small_windows.maxima if _of_maxima(layer) else step_small_windows.averages
        (height, width), a_plane = layout.geometry.kernel, len(layout.phases) * layout.plane
        chunk = max(1, min(-(-fields["images"] // fields["parts"]), BAND // a_plane))
        masks = plane_masks(fields["out_height"], fields["out_width"], layout.pitch, layout.plane, chunk)
        # taps of the last rows of the last plane, which are no outputs, are read beyond it
        offsets, along, room = layout.offsets(1, chunk), 0, chunk * a_plane + layout.plane + READ_BEYOND
        if layout.geometry.stride == (1, 1) and 2 * (height + width) < height * width:
            offsets, along, room = np.arange(height) * layout.pitch, width, 2 * (room + width)
        return self.row(
            function=function.address, lay_out=lay_out(fields["stride_w"]).address,
            channels=chunk, phases=len(layout.phases), pitch=layout.pitch, plane=layout.plane,
            band=fields["out_height"], depth=len(offsets), offsets=offsets, local_size=along,
            starts=layout.starts, masks=masks, scratch_size=room, **fields,
        )  # fmt: skip


def _of_maxima(layer: Pooling) -> bool:
    return layer.layer_param.pooling_param.pool == PoolingParameter.MAX


def _has_planes(kernel: Sequence[int], stride: Sequence[int], pad: Sequence[int]) -> bool:
    """Whether windows are as step_pooled_planes.py knows them."""
    squares = kernel[0] == kernel[1] and stride[0] == stride[1]
    return squares and kernel[0] in SIDES and stride[0] in STRIDES and pad[1] <= BEFORE
