"""ROIAveragePooling: an ROIPooling with pool: AVE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, read_bins, read_rois
from caffe_compat.layers.kernels import roi_average as kernels
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, ROIPoolingParameter


def averages(layer_param: LayerParameter) -> bool:
    """Whether an ROIPooling layer has pool: AVE."""
    return layer_param.roi_pooling_param.pool == ROIPoolingParameter.AVE


@register_form("ROIAveragePooling", of="ROIPooling", describes=averages)
class ROIAveragePooling(Layer):
    """The mean over each bin of ROIPooling, 0 where it is empty; bottoms, top and bins are that layer's.

    A layer of type ROIPooling with pool: AVE is this one. Raises LayerError as ROIPooling does.
    Source: ROIPoolingLayer of wk910930's Caffe, which gives empty bins NaN on its CPU.
    """

    reads = ("roi_pooling_param",)
    origin = "wk910930"
    bottom_count = (2, 2)
    no_gradient = (1,)
    without_effect = ("roi_pooling_param.pool",)
    refused = {
        f"roi_pooling_param.{name}": "it is of another Caffe than pool: AVE; remove it"
        for name in ("pad_ratio", "is_rich", "bb_type")
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.roi_pooling_param
        self.bins = read_bins(self, param.pooled_h, param.pooled_w)
        self.scale = np.float32(param.spatial_scale)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        top[0].reshape(bottom[1].num, bottom[0].channels, *self.bins)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        kernels.roi_average(bottom[0].data, read_rois(self, bottom, self.scale), self.scale, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rois = bottom[1].data.reshape(-1, 5)
            kernels.roi_average_backward(rois, self.scale, top[0].diff, bottom[0].diff)
