"""DetectionLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer
from caffe_compat.layers.mscnn.anchor_loss import WITHOUT_EFFECT, AnchorLoss, scaled_to_shares
from caffe_compat.layers.mscnn.anchors import Anchors, bounds
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.ground_truth import CHANNELS, GroundTruth
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng

FEWEST = 4  # places of background that are sampled for each class


@register("DetectionLoss")
class DetectionLoss(AnchorLoss):
    """The loss of one scale of MS-CNN's proposal network (detection_loss_param).

    bottom[0]: N x (cls_num + 4) x H x W, scores and offsets from boxes of field_w x field_h around places that are
    downsample_rate pixels apart. bottom[1]: N x 6 x H x W, the ground truth as ImageGtData makes it: class, box (centre
    and size) and overlap. All places of a class above 0 are kept, and of those of class 0 whose overlap is below
    bg_threshold: sample_mode "random", those that bg_multiple draws for each place above 0 hit, from the global stream;
    "bootstrap", for each class bg_multiple times its places, those of the highest scores of that class (of equal
    scores the last); "mixture", half of either; any other, all. At least 4 are sampled for each class.
    iou_weighted: a place above 0 weighs what it overlaps. pos_neg_weighted: the places above 0 then weigh together
    1 / (1 + bg_multiple) of all. objectness: all classes above 0 are one. loss_param.ignore_label does not count. For
    the top, the boxes and the gradient see anchor_loss.py. Offsets are clipped to a field / field_xyr and
    field_whr times smaller or larger; bb_smooth is its `smooth`. The ground truth takes no gradient.
    Raises LayerError for shapes and classes that do not fit.

    Source: DetectionLossLayer of zhaoweicai/mscnn; Cai et al., A Unified Multi-scale Deep CNN (2016), section 3.
    """

    reads = ("loss_param", "bbox_reg_param", "detection_loss_param")
    origin = "MS-CNN"
    without_effect = (*WITHOUT_EFFECT, "bbox_reg_param.cls_aware")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.detection_loss_param
        if param.coord_num != 4 or param.cls_num < 2:
            raise self.error(
                f"coord_num is {param.coord_num} and cls_num {param.cls_num}; expected 4, and 2 or more"
            )
        if param.objectness and param.cls_num != 2:
            raise self.error(f"objectness needs cls_num 2, found {param.cls_num}")
        self.classes, self.lambda_, self.objectness = (
            param.cls_num,
            getattr(param, "lambda"),
            param.objectness,
        )
        self.smooth = param.bb_smooth
        self.anchors = Anchors(self, [param.field_w], [param.field_h], param.downsample_rate)
        self.regression = BBoxReg(self)
        self.bounds = self.normalized_bounds(bounds(self, param.field_xyr, param.field_whr))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        LossLayer.reshape(self, bottom, top)
        num, maps = bottom[0].num, bottom[0].shape[2:]
        self.check_maps(bottom, [(num, self.classes + 4, *maps), (num, CHANNELS, *maps)])
        top[0].reshape(1, 1, 1, 2)

    def scores_and_offsets(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return arrays[0][:, : self.classes], arrays[0][:, self.classes :]

    def keep(self, truth: GroundTruth, scores: np.ndarray, prob: np.ndarray) -> np.ndarray:
        background = (truth.raw == 0) & (truth.overlap < np.float32(self.param.bg_threshold))
        mode, sampled = self.param.sample_mode, np.zeros(background.shape, bool)
        part = np.float32(0.5 if mode == "mixture" else 1)
        for n in range(len(background)):
            if mode in ("random", "mixture"):
                sampled[n] |= background[n] & self._hit(truth.label[n], part)
            if mode in ("bootstrap", "mixture"):
                sampled[n] |= self._hardest(truth.label[n], scores[n], background[n], part)
        if mode not in ("random", "bootstrap", "mixture"):
            sampled = background
        return sampled | (truth.raw != 0)

    def _hit(self, label: np.ndarray, part: np.float32) -> np.ndarray:
        """Places of one image that random draws hit."""
        count = int(np.float32(np.count_nonzero(label) * self.param.bg_multiple) * part)
        draws = np.empty(max(count, FEWEST * (self.classes - 1)), np.uint32)
        caffe_rng().raw(draws)
        hit = np.zeros(label.shape, bool)
        hit.flat[draws % label.size] = True
        return hit

    def _hardest(
        self, label: np.ndarray, scores: np.ndarray, background: np.ndarray, part: np.float32
    ) -> np.ndarray:
        """Places of background of one image that score highest in some class."""
        places, hardest = np.flatnonzero(background), np.zeros(label.shape, bool)
        for k in range(1, self.classes):
            count = int(np.float32(np.count_nonzero(label == k) * self.param.bg_multiple) * part)
            best = np.argsort(scores[k].ravel()[places], kind="stable")[::-1]
            hardest.flat[places[best[: max(FEWEST, count)]]] = True
        return hardest

    def weights(self, truth: GroundTruth, keep: np.ndarray) -> np.ndarray:
        foreground = truth.raw != 0
        weights = np.ones(keep.shape, truth.overlap.dtype)
        if self.param.iou_weighted:
            weights[foreground] = truth.overlap[foreground]
        if self.param.pos_neg_weighted and weights[foreground].sum() != 0:
            share = 1 / (1 + self.param.bg_multiple)
            scaled_to_shares(weights, foreground, keep & ~foreground, share)
        return weights
