"""ROIMaskPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.roi_pooling import ROIPooling
from caffe_compat.layers.registry import register
from caffe_compat.prototxt import caffe_pb2

WHOLE, LEFT, RIGHT, UPPER, LOWER = range(5)  # half_part
MOVED = {LEFT: 2, RIGHT: 0, UPPER: 3, LOWER: 1}  # the side that moves to the centre: x2, x1, y2 or y1


@register("ROIMaskPooling")
class ROIMaskPooling(Layer):
    """ROIPooling of regions around those given, larger or smaller by roi_scale (roi_mask_pooling_param).

    bottom[0]: N x C x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2 in pixels. top[0]: R x C x
    pooled_h x pooled_w. A region keeps its centre; of it, half_part takes the whole (0), or the half on the left (1),
    on the right (2), above (3) or below (4). Times spatial_scale, plus spatial_shift, rounded half away from zero, its
    corners are pixels of the map, both inside. The RoIs take no gradient.
    Raises LayerError for a RoI of no image or not finite, and for another half_part.

    Source: ROIMaskPoolingLayer of GBD-Net's Caffe on its GPU; its CPU takes the RoIs for x1 x2 y1 y2.
    """

    reads = ("roi_mask_pooling_param",)
    bottom_count = (2, 2)
    no_gradient = (1,)
    origin = "GBD-Net"
    refused = {
        "roi_mask_pooling_param.mask_scale": (
            "its Caffe hides the inside of a region on the CPU, and not all of it on the GPU; remove it"
        )
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.roi_mask_pooling_param
        if self.param.half_part not in range(5):
            raise self.error(
                f"half_part is {self.param.half_part}; it must be 0 (all), 1 (left), 2 (right), 3 (upper) or 4 (lower)"
            )
        on_map = caffe_pb2.LayerParameter(name=self.name, type=self.type)
        on_map.roi_pooling_param.pooled_h = self.param.pooled_h
        on_map.roi_pooling_param.pooled_w = self.param.pooled_w
        self.pooling = ROIPooling(on_map, self.phase, self.dtype)
        self.regions = Blob((), bottom[1].dtype)  # in pixels of the map
        self.pooling.setup([bottom[0], self.regions], top)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.regions.reshape(*bottom[1].shape)
        self.pooling.reshape([bottom[0], self.regions], top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.regions.data[...] = self._regions(bottom[1].data.reshape(-1, 5)).reshape(bottom[1].shape)
        self.pooling.forward([bottom[0], self.regions], top)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self.pooling.backward(top, propagate_down, [bottom[0], self.regions])

    def _regions(self, rois: np.ndarray) -> np.ndarray:
        near, far = rois[:, 1:3], rois[:, 3:5]
        centre, reach = (near + far) / 2, (far - near) * np.float32(self.param.roi_scale) / 2
        corners = np.concatenate([centre - reach, centre + reach], axis=1)
        half = self.param.half_part
        if half != WHOLE:
            side = MOVED[half]
            corners[:, side] = centre[:, side % 2]
        places = corners * np.float32(self.param.spatial_scale) + np.float32(self.param.spatial_shift)
        whole = np.trunc(places)
        whole += np.where(np.abs(places - whole) >= 0.5, np.sign(places), 0)
        return np.column_stack([rois[:, 0], whole])
