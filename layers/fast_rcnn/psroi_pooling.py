"""PSROIPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, read_rois
from caffe_compat.layers.kernels import psroi_pooling as kernels
from caffe_compat.layers.registry import register


@register("PSROIPooling")
class PSROIPooling(Layer):
    """Position-sensitive RoI pooling: each bin of a RoI averages a channel of its own (psroi_pooling_param).

    bottom[0]: N x (output_dim * group_size^2) x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2
    in pixels, both corners inside: rounded half away from zero, the far ones plus 1, times spatial_scale, they are
    places on the map. top[0]: R x output_dim x group_size x group_size; bin (c, i, j) is the mean of channel
    (c group_size + i) group_size + j over the pixels that the bin touches, 0 where it lies outside the map. A RoI
    is at least 0.1 pixels of the map wide and high. The RoIs take no gradient.
    Raises LayerError for shapes that do not fit and for a RoI of no image or not finite.

    Source: PSROIPoolingLayer of R-FCN's fork of Caffe, whose GPU may fuse the multiplications and additions that
    place a bin; Dai, Li, He and Sun, R-FCN (2016), equation 1.
    """

    reads = ("psroi_pooling_param",)
    bottom_count = (2, 2)
    no_gradient = (1,)
    origin = "R-FCN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.psroi_pooling_param
        self.outputs, self.group = param.output_dim, param.group_size
        if min(self.outputs, self.group) < 1:
            raise self.error(
                f"output_dim is {self.outputs} and group_size {self.group}; both must be above 0"
            )
        self.scale = np.float32(param.spatial_scale)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        channels = self.outputs * self.group**2
        if bottom[0].channels != channels:
            raise self.error(
                f"bottom[0] has {bottom[0].channels} channels; output_dim {self.outputs} and group_size "
                f"{self.group} need {self.outputs} x {self.group} x {self.group} = {channels}"
            )
        top[0].reshape(bottom[1].num, self.outputs, self.group, self.group)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = read_rois(self, bottom, self.scale)
        kernels.psroi_pooling(bottom[0].data, rois, self.scale, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rois = bottom[1].data.reshape(-1, 5)
            kernels.psroi_pooling_backward(rois, self.scale, top[0].diff, bottom[0].diff)
