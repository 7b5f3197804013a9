"""CAROIPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, grown, read_bins, read_rois
from caffe_compat.layers.kernels import ca_roi_pooling as kernels
from caffe_compat.layers.registry import register


@register("CAROIPooling")
class CAROIPooling(Layer):
    """Context-aware RoI pooling: as ROIPooling, but a RoI with fewer rows or columns than bins is enlarged there.

    bottom[0]: N x C x H x W maps; bottom[1]: R x 5 RoIs (image, x1, y1, x2, y2); top[0]: R x C x pooled_h x pooled_w
    (caroi_pooling_param). pad_ratio moves each side of a RoI out by that part of its width or height before. Where the
    rounded RoI has fewer rows than bins, its first pixel is the first bin's and its last one the last bin's, with
    linear interpolation between; so for columns. A side that is longer is pooled. The RoIs take no gradient; that of
    the maps is the original's, which is not the true one. Raises LayerError for a RoI of no image or not finite.
    Source: CAROIPoolingLayer of xw-hu/SINet on the GPU (its CPU interpolates otherwise, and has no backward); Hu et
    al., SINet: A Scale-insensitive Convolutional Neural Network for Fast Vehicle Detection (2018), section III.
    """

    reads = ("caroi_pooling_param",)
    origin = "SINet"
    bottom_count = (2, 2)
    no_gradient = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.caroi_pooling_param
        self.bins = read_bins(self, param.pooled_h, param.pooled_w)
        self.scale, self.pad_ratio = np.float32(param.spatial_scale), param.pad_ratio
        if not self.scale > 0:
            raise self.error(f"spatial_scale is {param.spatial_scale:g}; it must be above 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        num, channels, height, width = bottom[0].shape
        if num and not (height and width):
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}: there are no pixels")
        top[0].reshape(bottom[1].num, channels, *self.bins)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outside = "the map's border is pooled there, or 0"
        rois = read_rois(self, bottom, self.scale, self.pad_ratio, outside)
        kernels.ca_roi_pooling(bottom[0].data, rois, self.scale, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rois = grown(bottom[1].data.reshape(-1, 5), self.pad_ratio)
            kernels.ca_roi_pooling_backward(bottom[0].data, rois, self.scale, top[0].diff, bottom[0].diff)
