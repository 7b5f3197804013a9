"""BboxAccuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.boxes import decoded, overlap, sized
from caffe_compat.layers.registry import register

MOST = 0.975  # a RoI that overlaps by more is a ground-truth box itself


@register("BboxAccuracy")
class BboxAccuracy(Layer):
    """How much predicted boxes overlap those of the ground truth, on average, and how much their RoIs did.

    bottom[0]: R x 4 classes offsets, those of the RoI's class count (bbox_reg_param's cls_aware false: R x 8, of any
    class); they are times bbox_std, plus bbox_mean. bottom[1]: R x 5 RoIs. bottom[2]: R x 6, class (0 for background),
    box and overlap, as match_gt_boxes of ProposalTarget. top[0] and top[1], if wanted: 1 x 1 x 1 x 1, after and before
    the regression, over the RoIs of a class above 0 that overlap by at most 0.975; -1 where there are none. Nothing
    takes a gradient. Raises LayerError for a class without offsets.

    Source: BboxAccuracyLayer of zhaoweicai/cascade-rcnn. That of zhaoweicai/mscnn knows no cls_aware, and counts
    overlaps of less than a pixel.
    """

    reads = ("bbox_reg_param",)
    origin = "MS-CNN"
    bottom_count = (3, 3)
    top_count = (1, 2)
    no_gradient = (0, 1, 2)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.regression = BBoxReg(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rows = bottom[0].num
        offsets = bottom[0].count // max(rows, 1)
        if offsets % 4 or (not self.regression.cls_aware and rows and offsets != 8):
            expected = "4 offsets a class" if self.regression.cls_aware else "8, with cls_aware: false"
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; a row has {offsets} offsets, not {expected}"
            )
        for index, width in ((1, 5), (2, 6)):
            if bottom[index].num != rows or bottom[index].count != rows * width:
                raise self.error(
                    f"bottom[{index}] has the shape {bottom[index].shape}; expected {(rows, width)}"
                )
        for blob in top:
            blob.reshape(1, 1, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        truth = bottom[2].data.reshape(-1, 6)
        counts = np.flatnonzero((truth[:, 0] > 0) & ~(truth[:, 5] > MOST))
        values = self._overlaps(bottom, counts) if counts.size else [np.full(1, -1, np.float32)] * 2
        for blob, value in zip(top, values, strict=False):
            blob.data[...] = value.mean()

    def _overlaps(self, bottom: Sequence[Blob], rows: np.ndarray) -> list[np.ndarray]:
        """Of these rows' boxes with the ground truth: the predicted ones', and the RoIs'."""
        truth = bottom[2].data.reshape(-1, 6)[rows]
        rois = bottom[1].data.reshape(-1, 5)[rows, 1:]
        offsets = bottom[0].data.reshape(bottom[0].num, -1, 4)
        column = (
            truth[:, 0].astype(int) if self.regression.cls_aware else np.minimum(truth[:, 0], 1).astype(int)
        )
        if column.max() >= offsets.shape[1]:
            raise self.error(
                f"a matched box has class {column.max()}; bottom[0] has offsets of classes 0 to {offsets.shape[1] - 1}"
            )
        predicted = decoded(rois, self.regression.restored(offsets[rows, column]))
        return [overlap(boxes, sized(truth[:, 1:5])) for boxes in (predicted, sized(rois))]
