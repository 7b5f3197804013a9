"""DepthToSpace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

# by data_format: where the axes of a block of pixels in the channels come to stand, of N, H, W, the block's row and
# column, and the channels that are left ("D") in the bottom, and then in the top
_ORDERS = {
    "NHWC": ("NHWrcD", "NHrWcD"),
    "NCHW": ("NrcDHW", "NDHrWc"),
    "DCR": ("NrcDHW", "NDHrWc"),
    "CRD": ("NDrcHW", "NDHrWc"),
}


@register("DepthToSpace")
class DepthToSpace(Layer):
    """Channels become blocks of block_size x block_size pixels (depth_to_space_param).

    bottom: N x C x H x W; top: N x C / s s x H s x W s, s being block_size. With data_format NCHW or DCR, channel
    (r s + c) C / s s + d is the pixel in row r and column c of the blocks of channel d of the top; with CRD it is
    channel d s s + r s + c, as in PyTorch's pixel shuffle. With NHWC, which is what counts where nothing is said, the
    axes are N x H x W x C and the order is NCHW's. Raises LayerError for dims that do not fit, and other formats.
    Source: DepthToSpaceLayer of Synopsys' Caffe, which has no backward pass; and its Reshape with a pixelshuffler.
    """

    reads = ("depth_to_space_param",)
    origin = "Synopsys"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.depth_to_space_param
        if param.block_size < 1:
            raise self.error(f"block_size is {param.block_size}; it must be at least 1")
        if param.data_format not in _ORDERS:
            raise self.error(f"data_format is '{param.data_format}'; choose from {', '.join(_ORDERS)}")
        self.block = param.block_size
        self.order, later = _ORDERS[param.data_format]
        self.axes = [self.order.index(axis) for axis in later]
        self.channels_last = later.endswith("D")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, s = bottom[0].shape, self.block
        if len(shape) != 4 or shape[-1 if self.channels_last else 1] % (s * s):
            raise self.error(
                f"the bottom has the shape {shape}; expected 4 axes, the channels a multiple of {s * s}"
            )
        if self.channels_last:
            n, h, w, c = shape
            top[0].reshape(n, h * s, w * s, c // (s * s))
        else:
            n, c, h, w = shape
            top[0].reshape(n, c // (s * s), h * s, w * s)
        sizes = {"N": n, "H": h, "W": w, "r": s, "c": s, "D": c // (s * s)}
        self.shape = [sizes[axis] for axis in self.order]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = bottom[0].data.reshape(self.shape).transpose(self.axes)
        np.copyto(top[0].data.reshape(y.shape), y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x_diff = bottom[0].diff.reshape(self.shape).transpose(self.axes)
            np.copyto(x_diff, top[0].diff.reshape(x_diff.shape))
