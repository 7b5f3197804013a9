"""ROISparsePooling: an ROIPooling with is_rich."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, read_bins, read_rois
from caffe_compat.layers.kernels import roi_sparse as kernels
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def is_sparse(layer_param: LayerParameter) -> bool:
    """Whether an ROIPooling layer has is_rich."""
    return bool(layer_param.roi_pooling_param.is_rich)


@register_form("ROISparsePooling", of="ROIPooling", describes=is_sparse)
class ROISparsePooling(Layer):
    """The maximum of every second row's every second pixel in each bin of ROIPooling, for maps made twice as large.

    A layer of type ROIPooling with is_rich is this one; bottoms, top and bins are that layer's, and a bin's first pixel
    counts. Raises LayerError as ROIPooling does. Source: ROIPoolingLayer of UberNet, its GPU kernel (its CPU's leaves
    is_rich out, and has no backward); Kokkinos, UberNet (2017).
    """

    reads = ("roi_pooling_param",)
    origin = "UberNet"
    bottom_count = (2, 2)
    no_gradient = (1,)
    without_effect = ("roi_pooling_param.is_rich",)
    refused = {
        "roi_pooling_param.bb_type": "only 0, the whole RoI, is built",
        "roi_pooling_param.pad_ratio": "it is of another Caffe than is_rich; remove it",
        "roi_pooling_param.pool": "it is of another Caffe than is_rich; remove it",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.roi_pooling_param
        self.bins = read_bins(self, param.pooled_h, param.pooled_w)
        self.scale = np.float32(param.spatial_scale)
        self.where = Blob((), np.int32)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        top[0].reshape(bottom[1].num, bottom[0].channels, *self.bins)
        self.where.reshape(*top[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = read_rois(self, bottom, self.scale)
        kernels.roi_sparse(bottom[0].data, rois, self.scale, self.where.data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            rois = bottom[1].data.reshape(-1, 5)
            kernels.roi_sparse_backward(rois, self.scale, self.where.data, top[0].diff, bottom[0].diff)
