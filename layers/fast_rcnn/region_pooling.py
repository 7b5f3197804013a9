"""RegionPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import FARTHEST, read_bins
from caffe_compat.layers.kernels import region_pooling as kernels
from caffe_compat.layers.registry import register


@register("RegionPooling")
class RegionPooling(Layer):
    """Max pooling of the ring between two rectangles into pooled_h x pooled_w bins (region_pooling_param).

    bottom[0]: N x C x H x W maps. bottom[1]: R x 9: index of the image, x1 y1 x2 y2 of the outer and of the inner
    rectangle in pixels. A first coordinate x is pixel (x + 1 + offset) spatial_scale of the map, rounded to the nearest
    (a half up), a last one (x + 1 - offset) spatial_scale (a half down); where these cross, the one between. top[0]: R
    x C x pooled_h x pooled_w; the bins are ROIPooling's of the outer rectangle, pixels strictly within the inner one do
    not count, and no bin is less than 0. The regions take no gradient. Raises LayerError for a region of no image or
    not finite, and shapes that do not fit.
    Source: RegionPoolingLayer of gidariss' Caffe; Gidaris and Komodakis, Object detection via a multi-region &
    semantic segmentation-aware CNN model (2015).
    """

    reads = ("region_pooling_param",)
    origin = "LocNet"
    bottom_count = (2, 2)
    no_gradient = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.region_pooling_param
        read_bins(self, param.pooled_h, param.pooled_w)
        self.scale, self.offset = np.float32(param.spatial_scale), np.float32(param.offset)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.region_pooling_param, bottom[0].shape
        if len(shape) != 4 or bottom[1].count != 9 * bottom[1].num:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected maps N x C x H x W, and R x 9"
            )
        top[0].reshape(bottom[1].num, shape[1], param.pooled_h, param.pooled_w)
        self.where = np.empty(top[0].shape, np.int32)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        regions = bottom[1].data.reshape(-1, 9)
        fits = (regions[:, 0] >= 0) & (regions[:, 0] < bottom[0].num)
        fits &= (np.abs(regions[:, 1:] * self.scale) < FARTHEST).all(axis=1)  # NaN is not
        if not fits.all():
            row = int(fits.argmin())
            raise self.error(
                f"region {row} is {regions[row].tolist()}; expected one of the images 0 to {bottom[0].num - 1}, and "
                "finite corners"
            )
        kernels.region_pooling(bottom[0].data, regions, self.offset, self.scale, top[0].data, self.where)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            kernels.region_pooling_backward(
                bottom[1].data.reshape(-1, 9), self.where, top[0].diff, bottom[0].diff
            )
