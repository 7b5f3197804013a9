"""DecodeBBox."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.boxes import cornered, decoded
from caffe_compat.layers.registry import register


@register("DecodeBBox")
class DecodeBBox(Layer):
    """The RoIs of a cascade's next stage: those of this one, moved by the offsets that it predicts (decode_bbox_param).

    bottom[0]: R x 8 offsets (dx dy dw dh of the background, and of all classes), times bbox_std, plus bbox_mean of
    bbox_reg_param. bottom[1]: R x 5 RoIs (image, x1, y1, x2, y2). bottom[2], in training, if wanted: R rows whose last
    number is how much the RoI overlaps a ground-truth box, as match_gt_boxes of ProposalTarget. top[0]: K x 5 x 1 x 1
    RoIs, not clipped. In training those are left out that end before they start, and with bottom[2] those that
    overlapped by gt_iou_thr or more (the ground-truth boxes among them). Nothing takes a gradient. Raises LayerError
    where no RoI is left.

    Source: DecodeBBoxLayer of zhaoweicai/mscnn and cascade-rcnn; Cai and Vasconcelos, Cascade R-CNN (2018).
    """

    reads = ("bbox_reg_param", "decode_bbox_param")
    origin = "MS-CNN"
    without_effect = ("bbox_reg_param.cls_aware",)
    bottom_count = (2, 3)
    no_gradient = (0, 1, 2)
    has_backward = False
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.regression = BBoxReg(self)
        if len(bottom) == 3 and self.phase != TRAIN:
            raise self.error("bottom[2], the matched ground-truth boxes, is for phase TRAIN; remove it")
        top[0].reshape(1, 5, 1, 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rows = bottom[0].num
        for index, width in enumerate((8, 5)):
            if bottom[index].num != rows or bottom[index].count != rows * width:
                raise self.error(
                    f"bottom[{index}] has the shape {bottom[index].shape}; expected {(rows, width)}"
                )
        if len(bottom) == 3 and (bottom[2].num != rows or bottom[2].count != rows * bottom[2].channels):
            raise self.error(f"bottom[2] has the shape {bottom[2].shape}; expected {(rows, 6)}")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = bottom[1].data.reshape(-1, 5)
        offsets = self.regression.restored(bottom[0].data.reshape(-1, 8)[:, 4:])
        boxes = cornered(decoded(rois[:, 1:], offsets))
        keep: np.ndarray = np.ones(len(rois), bool)
        if self.phase == TRAIN:
            keep &= ~(boxes[:, :2] > boxes[:, 2:]).any(axis=1)
        if len(bottom) == 3:
            threshold = np.float32(self.layer_param.decode_bbox_param.gt_iou_thr)
            keep &= ~(bottom[2].data.reshape(len(rois), bottom[2].channels)[:, -1] >= threshold)
        if not keep.any():
            raise self.error(
                "no box is left: all end before they start, or overlap the ground truth by gt_iou_thr"
            )
        top[0].reshape(int(keep.sum()), 5, 1, 1)
        top[0].data[..., 0, 0] = np.column_stack([rois[keep, 0], boxes[keep]])
