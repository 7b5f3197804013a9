"""ROIAlignment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, read_bins, read_rois
from caffe_compat.layers.kernels import roi_align as kernels
from caffe_compat.layers.registry import register


@register("ROIAlignment")
class ROIAlignment(Layer):
    """A bilinear sample in the middle of each of pooled_h x pooled_w bins of a region.

    bottom[0]: N x C x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2 in pixels; times
    spatial_scale, without rounding, they are places on the map, and a RoI ends 1 behind x2 and y2, at least 1 behind x1
    and y1. top[0]: R x C x pooled_h x pooled_w. A bin's sides are moved to the map's outer pixels where they lie beyond
    them, and its sample lies between the sides. The gradient is not the true one: pixels more than 1 before x1 or
    behind x2, or so along y, take none. The RoIs take none either.
    Raises LayerError for a RoI of no image or not finite.
    Source: ROIAlignmentLayer of AffordanceNet (nqanh); Do, Nguyen and Reid (2018), whose RoIAlign it is.
    """

    reads = ("roi_alignment_param",)
    bottom_count = (2, 2)
    no_gradient = (1,)
    origin = "AffordanceNet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.roi_alignment_param
        self.bins = read_bins(self, param.pooled_h, param.pooled_w)
        self.scale = np.float32(param.spatial_scale)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        top[0].reshape(bottom[1].num, bottom[0].channels, *self.bins)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = read_rois(self, bottom, self.scale, outside="the map's nearest pixels are taken")
        kernels.roi_align(bottom[0].data, rois, self.scale, kernels.CENTRED, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rois = bottom[1].data.reshape(-1, 5)
            kernels.roi_align_backward(rois, self.scale, kernels.CENTRED, top[0].diff, bottom[0].diff)
