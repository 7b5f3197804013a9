"""Pooling by maxima and averages."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.engines.fast.steps.layout import BAND, READ_BEYOND, Layout, plane_masks
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels import step_large_windows, step_small_windows
from caffe_compat.layers.kernels.lay_out import BY_VECTORS, lay_out
from caffe_compat.layers.kernels.micro_kernel import LANES
from caffe_compat.layers.kernels.pool_averages import count_elements
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

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        (bottom,), (top,), layer = bottoms[0], tops[0], self.layers[0]
        assert isinstance(layer, Pooling)
        if len(bottom.shape) != 4 or not bottom.count:
            return None
        images, channels, height, width = bottom.shape
        kernel, stride, pad = (tuple(int(n) for n in row) for row in layer.windows.T)
        layout = Layout(ConvGeometry(kernel, stride, pad, (1, 1)), top.shape[3], top.shape[2])
        maxima = layer.layer_param.pooling_param.pool == PoolingParameter.MAX
        parts, planes = parts_of(bottom.count, LEAST_NUMBERS // 4, threads), images * channels
        sizes = dict(height=height, width=width, out_height=top.shape[2], out_width=top.shape[3])
        scale = np.empty(0 if maxima else top.shape[2:], np.float32)
        if not maxima:
            count_elements(layer.windows, height, width, scale)
        with np.errstate(divide="ignore"):  # a window of nothing has an average of 0 / 0, as in Caffe
            np.reciprocal(scale, out=scale)
        few = layout.plane > LANES * top.shape[2] * top.shape[3]  # outputs, of large windows
        if few or (stride[1] not in BY_VECTORS and kernel[1] >= MANY_COLUMNS):
            return [
                self.row(
                    function=(step_large_windows.maxima if maxima else step_large_windows.averages).address,
                    parts=parts, images=planes, **sizes, windows=layer.windows, scale=scale, bottom=bottom, top=top,
                )
            ]  # fmt: skip
        a_plane = len(layout.phases) * layout.plane
        chunk = max(1, min(-(-planes // parts), BAND // a_plane))
        masks = plane_masks(top.shape[2], top.shape[3], layout.pitch, layout.plane, chunk)
        return [
            self.row(
                function=(step_small_windows.maxima if maxima else step_small_windows.averages).address,
                lay_out=lay_out(stride[1]).address,
                parts=parts, images=planes, channels=chunk, **sizes,
                stride_h=stride[0], stride_w=stride[1], phases=len(layout.phases),
                pitch=layout.pitch, plane=layout.plane, band=top.shape[2], depth=math.prod(kernel),
                offsets=layout.offsets(1, chunk), starts=layout.starts, masks=masks,
                scale=scale, bottom=bottom, top=top,
                # taps of the last rows of the last plane, which are no outputs, are read beyond it
                scratch_size=chunk * a_plane + layout.plane + READ_BEYOND,
            )
        ]  # fmt: skip
