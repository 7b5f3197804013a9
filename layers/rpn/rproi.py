"""RPROI."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.roi_pooling import ROIPooling
from caffe_compat.layers.registry import register
from caffe_compat.layers.rpn.anchors import generate_anchors
from caffe_compat.layers.rpn.candidates import (
    are_large,
    best_apart,
    candidate_boxes,
    check_finite,
    check_proposal_shapes,
    foreground,
    write_rois,
)
from caffe_compat.prototxt import caffe_pb2


@register("RPROI")
class RPROI(Layer):
    """ProposalLayer and ROIPooling in one (region_proposal_param, roi_pooling_param), for images one by one.

    bottom[0]: N x 2A x H x W probabilities, of no object and then of one, by anchor. bottom[1]: N x 4A x H x W deltas.
    bottom[2]: N x C x H' x W' maps. bottom[3]: height, width and scale of each image, or of all. top[0]: R x 5 RoIs
    (image, x1, y1, x2, y2), at most nms_max_out an image. top[1]: R x C x pooled_h x pooled_w. Nothing takes a
    gradient.
    Raises LayerError for shapes that do not agree, and for bottoms that are not finite (in phase TEST: im_info).

    Source: the two layers of py-faster-rcnn that it takes the place of in nets for TensorRT's Faster R-CNN, whose own
    layer is a plugin: it has four columns of RoIs, and always nms_max_out rows.
    """

    reads = ("roi_pooling_param", "region_proposal_param")
    origin = "TensorRT"
    bottom_count = (4, 4)
    top_count = (2, 2)
    no_gradient = (0, 1, 2, 3)
    has_backward = False
    counts_rows = True
    refused = dict.fromkeys(
        (f"roi_pooling_param.{name}" for name in ("pad_ratio", "pool", "bb_type", "is_rich")),
        "TensorRT has none; remove it",
    )
    without_effect = ("region_proposal_param.anchor_ratio_count", "region_proposal_param.anchor_scale_count")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = param = self.layer_param.region_proposal_param
        sizes = [*param.anchor_ratio, *param.anchor_scale, param.feature_stride]
        if not param.anchor_ratio or not param.anchor_scale or not all(0 < size < np.inf for size in sizes):
            raise self.error(
                f"there are {len(param.anchor_ratio)} ratios and {len(param.anchor_scale)} scales of anchors; expected "
                "one or more, and these and feature_stride above 0"
            )
        anchors = generate_anchors(ratios=param.anchor_ratio, scales=param.anchor_scale)
        self.anchors = anchors.astype(bottom[1].dtype)
        pooling = caffe_pb2.LayerParameter(
            name=self.name, type=self.type, roi_pooling_param=self.layer_param.roi_pooling_param
        )
        self.pooling = ROIPooling(pooling, self.phase, self.dtype)
        top[0].reshape(1, 5)
        self.pooling.setup([bottom[2], top[0]], top[1:])

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many RoIs there are is known after forward."""
        check_proposal_shapes(self, [*bottom[:2], bottom[3]], len(self.anchors))
        self.pooling.reshape([bottom[2], top[0]], top[1:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_finite(self, [*bottom[:2], bottom[3]])
        infos = bottom[3].data.reshape(bottom[3].num, -1)
        boxes = [
            self._propose(bottom[0].data[image], bottom[1].data[image], infos[min(image, len(infos) - 1)])
            for image in range(bottom[0].num)
        ]
        write_rois(top[0], boxes)
        pooled = [bottom[2], top[0]], top[1:]
        self.pooling.reshape(*pooled)
        self.pooling.forward(*pooled)

    def _propose(self, probabilities: np.ndarray, deltas: np.ndarray, info: np.ndarray) -> np.ndarray:
        height, width, scale = info[:3]
        scores = foreground(probabilities)
        boxes = candidate_boxes(self.anchors, self.param.feature_stride, deltas, height, width)
        large = are_large(boxes, self.param.min_box_size * scale)
        rows = np.flatnonzero(large & np.isfinite(scores))
        limits = self.param.prenms_top, self.param.nms_max_out, self.param.iou_threshold
        return boxes[rows[best_apart(boxes[rows], scores[rows], *limits)]]
