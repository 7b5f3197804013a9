"""ROIAlign."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, grown, read_bins, read_rois
from caffe_compat.layers.kernels import roi_align as kernels
from caffe_compat.layers.registry import register


@register("ROIAlign")
class ROIAlign(Layer):
    """Bilinear samples of a region: four in each of pooled_h x pooled_w bins, averaged (roi_align_param), or a grid.

    bottom[0]: N x C x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2 in pixels; times
    spatial_scale, without rounding, they are places on the map, a RoI being at least 1 wide and high.
    top[0]: R x C x pooled_h x pooled_w. The samples of a bin lie at a quarter and at three quarters of its height
    and width; one that is more than a pixel outside the map counts as 0, one that is less takes the map's border.
    The RoIs take no gradient. Raises LayerError for a RoI of no image or not finite.

    With roi_pooling_param instead, as in MS-CNN and Cascade R-CNN, top[0] is R x C x pooled_h + 1 x pooled_w + 1: one
    sample at each point of a grid whose outer lines are the RoI's sides (of RoIs that end where or before they start,
    0), pixels having their places at their centres; one that is more than half a pixel outside the map is 0.
    pad_ratio moves each side out by that part of the width or height before. Their nets average four of these points.

    Source: He, Gkioxari, Dollar and Girshick, Mask R-CNN (2017), section 3, as Detectron's RoIAlign has it with
    sampling_ratio 2. The message has the fields of jasjeet's mask-rcnn and Synopsys' Caffe. Their kernel is another:
    it keeps the largest sample, weighs pixels by their distance from points of the whole RoI, and differs between
    its CPU and its GPU; nets trained with it do not give its numbers here. The grid: ROIAlignLayer of
    zhaoweicai/cascade-rcnn.
    """

    reads = ("roi_align_param", "roi_pooling_param")
    bottom_count = (2, 2)
    no_gradient = (1,)
    origin = "Mask R-CNN"
    refused = {
        f"roi_pooling_param.{name}": "only ROIPooling has it; remove it"
        for name in ("pool", "bb_type", "is_rich")
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        is_grid = self.layer_param.HasField("roi_pooling_param")
        if is_grid and self.layer_param.HasField("roi_align_param"):
            raise self.error(
                "there are roi_align_param and roi_pooling_param, which mean two things; remove one"
            )
        param = self.layer_param.roi_pooling_param if is_grid else self.layer_param.roi_align_param
        rows, columns = read_bins(self, param.pooled_h, param.pooled_w)
        self.form = kernels.ON_GRID if is_grid else kernels.AVERAGED
        self.tops = rows + is_grid, columns + is_grid
        self.scale = np.float32(param.spatial_scale)
        self.pad_ratio = self.layer_param.roi_pooling_param.pad_ratio

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        top[0].reshape(bottom[1].num, bottom[0].channels, *self.tops)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = read_rois(self, bottom, self.scale, self.pad_ratio)
        kernels.roi_align(bottom[0].data, rois, self.scale, self.form, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rois = grown(bottom[1].data.reshape(-1, 5), self.pad_ratio)
            kernels.roi_align_backward(rois, self.scale, self.form, top[0].diff, bottom[0].diff)
