"""ROIAlign."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, read_rois
from caffe_compat.layers.kernels import roi_align as kernels
from caffe_compat.layers.registry import register


@register("ROIAlign")
class ROIAlign(Layer):
    """Average of four bilinear samples in each of pooled_h x pooled_w bins of a region (roi_align_param).

    bottom[0]: N x C x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2 in pixels; times
    spatial_scale, without rounding, they are places on the map, a RoI being at least 1 wide and high.
    top[0]: R x C x pooled_h x pooled_w. The samples of a bin lie at a quarter and at three quarters of its height
    and width; one that is more than a pixel outside the map counts as 0, one that is less takes the map's border.
    The RoIs take no gradient. Raises LayerError for a RoI of no image or not finite.

    Source: He, Gkioxari, Dollar and Girshick, Mask R-CNN (2017), section 3, as Detectron's RoIAlign has it with
    sampling_ratio 2. The message has the fields of jasjeet's mask-rcnn and Synopsys' Caffe. Their kernel is another:
    it keeps the largest sample, weighs pixels by their distance from points of the whole RoI, and differs between
    its CPU and its GPU; nets trained with it do not give its numbers here.
    """

    reads = ("roi_align_param",)
    bottom_count = (2, 2)
    no_gradient = (1,)
    origin = "Mask R-CNN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.roi_align_param
        if param.pooled_h < 1 or param.pooled_w < 1:
            raise self.error(
                f"pooled_h is {param.pooled_h} and pooled_w {param.pooled_w}; both must be above 0"
            )
        self.bins = param.pooled_h, param.pooled_w
        self.scale = np.float32(param.spatial_scale)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        top[0].reshape(bottom[1].num, bottom[0].channels, *self.bins)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = read_rois(self, bottom, self.scale)
        kernels.roi_align(bottom[0].data, rois, self.scale, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rois = bottom[1].data.reshape(-1, 5)
            kernels.roi_align_backward(rois, self.scale, top[0].diff, bottom[0].diff)
