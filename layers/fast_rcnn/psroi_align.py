"""PSROIAlign."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, read_rois
from caffe_compat.layers.kernels import psroi_align as kernels
from caffe_compat.layers.registry import register

MOST_SAMPLES = 1000


@register("PSROIAlign")
class PSROIAlign(Layer):
    """PSROIPooling without rounding (psroi_align_param): a bin averages sample_num^2 bilinear samples of its channel.

    bottom[0]: N x (output_dim * group_size^2) x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2
    in pixels, both corners inside: the far ones plus 1, times spatial_scale, they are places on the map.
    top[0]: R x output_dim x group_size x group_size. The samples divide a bin evenly; those that the map's border
    leaves no room for count as 0. A sample's gradient leaves out pixels that only the sample reaches, not the bin. The
    RoIs take no gradient. Raises LayerError for shapes that do not fit, for a RoI of no image or not finite, and for
    sample_num not from 1 to 1000.
    Source: PSROIAlignLayer of afantideng's R-FCN-PSROIAlign, a GPU's; for samples that are none, its gradient is taken
    where those of an earlier batch were, unlike here.
    """

    reads = ("psroi_align_param",)
    origin = "afantideng"
    bottom_count = (2, 2)
    no_gradient = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.psroi_align_param
        self.outputs, self.group, self.samples = param.output_dim, param.group_size, param.sample_num
        if min(self.outputs, self.group) < 1 or not 1 <= self.samples <= MOST_SAMPLES:
            raise self.error(
                f"output_dim is {self.outputs}, group_size {self.group}, sample_num {self.samples}; all must be above "
                f"0, the last one {MOST_SAMPLES} at most"
            )
        self.scale = np.float32(param.spatial_scale)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        channels = self.outputs * self.group**2
        if bottom[0].channels != channels or not bottom[0].height * bottom[0].width:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; output_dim {self.outputs} and group_size {self.group} "
                f"need {channels} channels, of one pixel at least"
            )
        top[0].reshape(bottom[1].num, self.outputs, self.group, self.group)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = read_rois(self, bottom, self.scale)
        kernels.psroi_align(bottom[0].data, rois, self.scale, self.samples, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rois = bottom[1].data.reshape(-1, 5)
            kernels.psroi_align_backward(rois, self.scale, self.samples, top[0].diff, bottom[0].diff)
