"""SpatialWta: of each window of a map only the largest number stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("SpatialWta")
class SpatialWta(Layer):
    """Of each window of each map the number that is farthest from 0 stays, all others become 0 (spatial_wta_param).

    bottom: N x C x H x W; top[0]: like it; top[1], if wanted: 1 where a number stays, from which no gradient is taken.
    Windows are kernel_h x kernel_w, stride_h and stride_w apart, the last ones within the map; or the whole map with
    global_wta. What stays of any window stays; of equal ones it is the first. Raises LayerError where the sizes are not
    given, or twice, and for windows larger than the map.

    Source: SpatialWtaLayer of caffe_convLSTM_WTA (t2mhanh); Tran and Hogg, Anomaly Detection using a Convolutional
    Winner-Take-All Autoencoder (2017), section 2.
    """

    reads = ("spatial_wta_param",)
    top_count = (1, 2)
    without_effect = tuple(f"spatial_wta_param.{name}" for name in ("pad", "pad_h", "pad_w", "engine"))
    origin = "t2mhanh"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.spatial_wta_param
        kernels = [name for name in ("kernel_size", "kernel_h", "kernel_w") if param.HasField(name)]
        if param.global_wta and (kernels or {param.stride, param.stride_h or 1, param.stride_w or 1} != {1}):
            raise self.error("global_wta is for the whole map: it goes without kernel_size and stride")
        if not param.global_wta and kernels not in (["kernel_size"], ["kernel_h", "kernel_w"]):
            raise self.error("give kernel_size, or kernel_h and kernel_w")
        strides = [name for name in ("stride", "stride_h", "stride_w") if param.HasField(name)]
        if strides not in ([], ["stride"], ["stride_h", "stride_w"]):
            raise self.error("give stride, or stride_h and stride_w")
        self.stride = (param.stride_h, param.stride_w) if len(strides) == 2 else (param.stride, param.stride)
        self.kernel = (
            (param.kernel_h, param.kernel_w) if len(kernels) == 2 else (param.kernel_size, param.kernel_size)
        )
        if 0 in self.stride or (0 in self.kernel and not param.global_wta):
            raise self.error("a kernel size or stride is 0; both must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or 0 in shape[2:]:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        self.size = shape[2:] if self.layer_param.spatial_wta_param.global_wta else self.kernel
        if self.size[0] > shape[2] or self.size[1] > shape[3]:
            raise self.error(
                f"windows of {self.size[0]} x {self.size[1]} do not fit into the bottom's maps {shape}"
            )
        for blob in top:
            blob.reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data
        sizes = np.abs(x).reshape(x.shape[0] * x.shape[1], *x.shape[2:])
        mask = np.zeros(sizes.shape, bool)
        images = np.arange(len(sizes))
        for i in range(0, x.shape[2] - self.size[0] + 1, self.stride[0]):
            for j in range(0, x.shape[3] - self.size[1] + 1, self.stride[1]):
                window = sizes[:, i : i + self.size[0], j : j + self.size[1]]
                largest = window.reshape(len(sizes), self.size[0] * self.size[1]).argmax(axis=1)
                row, column = np.divmod(largest, self.size[1])
                mask[images, i + row, j + column] = True
        self.mask = mask.reshape(x.shape)
        for blob, values in zip(top, (np.where(self.mask, x, 0), self.mask), strict=False):
            blob.data[...] = values

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, self.mask, out=bottom[0].diff)
