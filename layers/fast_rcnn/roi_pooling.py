"""ROIPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, grown, read_bins, read_rois
from caffe_compat.layers.kernels import roi_pooling as kernels
from caffe_compat.layers.registry import register


@register("ROIPooling")
class ROIPooling(Layer):
    """Max pooling of each region of interest into pooled_h x pooled_w bins (roi_pooling_param).

    bottom[0]: N x C x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2 in pixels, both
    corners inside; times spatial_scale, rounded half away from zero, they are pixels of the map. MS-CNN's pad_ratio
    moves each side of a RoI out by that part of its width or height before.
    top[0]: R x C x pooled_h x pooled_w; a bin outside the map is 0. The RoIs take no gradient. Positions of
    the maxima are not kept: backward finds them again. Raises LayerError for a RoI of no image or not finite.
    Source: ROIPoolingLayer of the Fast R-CNN fork of Caffe; Girshick, Fast R-CNN (2015), section 2.1; pad_ratio: that
    of zhaoweicai/mscnn; Cai et al., A Unified Multi-scale Deep CNN (2016), section 4.1.
    """

    reads = ("roi_pooling_param",)
    origin = "Fast R-CNN"
    bottom_count = (2, 2)
    no_gradient = (1,)
    refused = {"roi_pooling_param.bb_type": "only 0, the whole RoI, is built"}

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.roi_pooling_param
        self.bins = read_bins(self, param.pooled_h, param.pooled_w)
        self.scale, self.pad_ratio = np.float32(param.spatial_scale), param.pad_ratio
        dtype = bottom[0].dtype
        self.maps = Blob((), dtype)  # channels last; data and diff are the copies of bottom[0]'s
        self.pooled, self.best, self.where = Blob((), dtype), Blob((), dtype), Blob((), np.int32)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        num, channels, height, width = bottom[0].shape
        top[0].reshape(bottom[1].num, channels, *self.bins)
        self.maps.reshape(num, height, width, channels)
        threads = numba.get_num_threads()
        self.pooled.reshape(threads, self.bins[0] * self.bins[1], channels)
        self.best.reshape(threads, channels)
        self.where.reshape(threads, channels)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = read_rois(self, bottom, self.scale, self.pad_ratio)
        kernels.roi_pooling(self.channels_last(bottom[0]), rois, self.scale, self.pooled.data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        rois = grown(bottom[1].data.reshape(-1, 5), self.pad_ratio)
        kernels.roi_pooling_backward(
            self.channels_last(bottom[0]),
            rois,
            self.scale,
            top[0].diff,
            self.best.data,
            self.where.data,
            self.maps.diff,
        )
        np.copyto(bottom[0].diff, self.maps.diff.transpose(0, 3, 1, 2))

    def channels_last(self, maps: Blob) -> np.ndarray:
        """The maps' data as N x H x W x C, in this layer's own memory."""
        np.copyto(self.maps.data, maps.data.transpose(0, 2, 3, 1))
        return self.maps.data
