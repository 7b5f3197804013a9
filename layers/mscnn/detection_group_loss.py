"""DetectionGroupLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.mscnn.anchor_loss import WITHOUT_EFFECT, AnchorLoss, scaled_to_shares
from caffe_compat.layers.mscnn.anchors import Anchors, bounds
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.ground_truth import CHANNELS, GroundTruth
from caffe_compat.layers.registry import register
from caffe_compat.layers.softmax_loss import LEAST_PROBABILITY
from caffe_compat.rng import Rng, caffe_rng

MININGS = ("random", "bootstrap", "mixture")
RANKINGS = ("conf_prob", "conf_loss")
LOSSES = ("Smooth_L1", "Euclidean_L2")


@register("DetectionGroupLoss")
class DetectionGroupLoss(AnchorLoss):
    """The loss of a region proposal network with several anchors a place (detection_group_loss_param).

    There are G fields field_w x field_h around places that are `stride` pixels apart, and N images. bottom[0]: N G x
    cls_num x H x W scores, row i of field i % G. bottom[1]: N G x 4 x H x W offsets. bottom[2]: N G x 6 x H x W, the
    ground truth as DetectionData makes it: class, box (centre and size) and overlap. Of each image places of a class
    above 0 are foreground, those of class 0 whose overlap is below bg_threshold background. With batch_size -1 all
    foreground is kept, and bg_multiple times as much background, at least min_num_neg; else batch_size / (1 +
    bg_multiple), rounded, of the foreground, and background up to batch_size. Where there is more foreground, it is
    drawn; of the background those are kept that are drawn (neg_mining_type "random"), that are least sure of it
    ("bootstrap", by neg_ranking_type conf_loss or conf_prob; of equal ones the last), or half of either ("mixture").
    pos_neg_weighted: the foreground weighs together 1 / (1 + bg_multiple) of all. objectness: all classes above 0 are
    one. loss_param.ignore_label does not count. For the top, the boxes and the gradient see anchor_loss.py.
    bbox_loss_type Smooth_L1 (or Euclidean_L2) is its `smooth`; offsets are clipped where both field_xyr and field_whr
    are given. The ground truth takes no gradient. Raises LayerError for shapes, classes and params that do not fit.

    The original writes the clipped offsets over bottom[1], so that others that read the blob may see them; here the
    blob stays. Source: DetectionGroupLossLayer of zhaoweicai/cascade-rcnn.
    """

    reads = ("loss_param", "bbox_reg_param", "detection_group_loss_param")
    origin = "Cascade R-CNN"
    without_effect = (*WITHOUT_EFFECT, "bbox_reg_param.cls_aware")
    bottom_count = (3, 3)
    no_gradient = (2,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.detection_group_loss_param
        for name, known in (
            ("neg_mining_type", MININGS),
            ("neg_ranking_type", RANKINGS),
            ("bbox_loss_type", LOSSES),
        ):
            if getattr(param, name) not in known:
                raise self.error(f"{name} is '{getattr(param, name)}'; expected one of {', '.join(known)}")
        if param.cls_num < 2 or (param.objectness and param.cls_num != 2):
            raise self.error(f"cls_num is {param.cls_num}; expected 2 or more, and 2 with objectness")
        if param.batch_size < 1 and param.batch_size != -1:
            raise self.error(f"batch_size is {param.batch_size}; expected a number above 0, or -1")
        self.classes, self.lambda_, self.objectness = (
            param.cls_num,
            getattr(param, "lambda"),
            param.objectness,
        )
        self.smooth = param.bbox_loss_type == "Smooth_L1"
        self.anchors = Anchors(self, param.field_w, param.field_h, param.stride)
        self.rng = Rng(caffe_rng().draw())
        self.regression = BBoxReg(self)
        self.bounds = None
        if param.HasField("field_xyr") and param.HasField("field_whr"):
            self.bounds = self.normalized_bounds(bounds(self, param.field_xyr, param.field_whr))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        LossLayer.reshape(self, bottom, top)
        num, maps = bottom[0].num, bottom[0].shape[2:]
        self.check_maps(bottom, [(num, self.classes, *maps), (num, 4, *maps), (num, CHANNELS, *maps)])
        if num % self.anchors.groups:
            raise self.error(f"bottom[0] has {num} rows; expected {self.anchors.groups} for each image")
        top[0].reshape(1, 1, 1, 2)

    def get_state(self) -> dict[str, np.ndarray]:
        return rng_state("sampling", self.rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        set_rng_state("sampling", self.rng, state)

    def scores_and_offsets(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return arrays[0], arrays[1]

    def keep(self, truth: GroundTruth, scores: np.ndarray, prob: np.ndarray) -> np.ndarray:
        background = (truth.raw == 0) & (truth.overlap < np.float32(self.param.bg_threshold))
        images = len(prob) // self.anchors.groups
        keep = np.zeros(truth.raw.shape, bool)
        rank = 1 - prob[:, 0]
        if self.param.neg_ranking_type == "conf_loss":
            rank = -np.log(np.maximum(prob[:, 0], LEAST_PROBABILITY))
        of_images = (values.reshape(images, -1) for values in (truth.raw > 0, background, rank, keep))
        for foreground, behind, hard, kept in zip(*of_images, strict=True):
            chosen, places = np.flatnonzero(foreground), np.flatnonzero(behind)
            most, rest = self._counts(len(chosen))
            if len(chosen) > most:
                self.rng.shuffle(chosen)
            kept[chosen[:most]] = True
            kept[self._background(places, hard[places], min(rest, len(places)))] = True
        return keep

    def _counts(self, foreground: int) -> tuple[int, int]:
        """How many places of an image are kept at most: foreground, and background."""
        batch, multiple = self.param.batch_size, self.param.bg_multiple
        if batch == -1:
            return foreground, max(foreground * multiple, self.param.min_num_neg)
        most = int(c_round(batch / (1 + multiple)))
        return most, batch - min(most, foreground)

    def _background(self, places: np.ndarray, rank: np.ndarray, count: int) -> np.ndarray:
        if len(places) == count:
            return places
        shares = dict(zip(MININGS, (0.0, 1.0, 0.5), strict=True))
        hard = int(c_round(count * shares[self.param.neg_mining_type]))
        hardest = np.argsort(rank, kind="stable")[::-1][:hard]
        others = np.delete(places, hardest)
        if hard < count:
            self.rng.shuffle(others)
        return np.concatenate([places[hardest], others[: count - hard]])

    def weights(self, truth: GroundTruth, keep: np.ndarray) -> np.ndarray:
        weights = np.ones(keep.shape, truth.overlap.dtype)
        if self.param.pos_neg_weighted:
            foreground = keep & (truth.raw > 0)
            scaled_to_shares(weights, foreground, keep & ~foreground, 1 / (1 + self.param.bg_multiple))
        return weights
