"""The loss of SSD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.logexp import exp_of_negative, log1p_exp
from caffe_compat.layers.common.loss import (
    NO_CLASS_WEIGHTS,
    LossLayer,
    loss_weight,
    normalization_mode,
    normalizer,
)
from caffe_compat.layers.kernels import softmax as softmax_kernels
from caffe_compat.layers.registry import register
from caffe_compat.layers.softmax_loss import LEAST_PROBABILITY
from caffe_compat.layers.ssd.ground_truth import GroundTruthBoxes
from caffe_compat.layers.ssd.localization_loss import LocalizationLoss
from caffe_compat.layers.ssd.multibox_matching import match_priors
from caffe_compat.layers.ssd.multibox_mining import check_mining, choose
from caffe_compat.layers.ssd.prior_boxes import PriorBoxes
from caffe_compat.prototxt.caffe_pb2 import MultiBoxLossParameter as Param
from caffe_compat.prototxt.caffe_pb2 import PriorBoxParameter

MOST_OF_POLYGONS = 20.0  # that the loss of deltas counts with use_polygon


@register("MultiBoxLoss")
class MultiBoxLoss(LossLayer):
    """How far predictions are from the objects that their prior boxes stand for, in place and in class.

    bottom[0]: N x 4PL deltas from P priors to boxes, by prior and (share_location: false; otherwise L is 1) by class.
    bottom[1]: N x PC scores, by prior and class. bottom[2]: 1 x 2 x 4P priors and their variances, of PriorBox.
    bottom[3]: 1 x 1 x G x 8 objects: image (-1: none), class, instance, x1 y1 x2 y2 normalized, difficult.
    bottom[4], if any: N x 2P probabilities that a prior is background, and is an object; only priors with at least
    objectness_score of the latter are mined. bottom[5], if any: N x 4P deltas, by which the priors are moved first.
    top[0]: the loss of the deltas times loc_weight, plus the loss of the scores. Both are sums over the priors that
    count, divided as loss_param.normalization says (VALID: by the number of priors that stand for an object). Where
    propagate_down is false for bottom[0] or bottom[1], the loss of that bottom is left out.
    Which priors (without use_prior_for_matching: predicted boxes) stand for which objects: see
    `kernels.prior_matches.match`. Which priors count depends on mining_type. NONE: all. MAX_NEGATIVE: those that
    stand for an object, and the hardest of those that overlap every object by less than neg_overlap, neg_pos_ratio
    times as many. HARD_EXAMPLE: the sample_size hardest of each image. The hardest are those with the highest loss;
    with nms_param, priors that overlap a harder one are passed over. Images without objects count with NONE only.
    use_polygon: each prior has 8 more deltas, of a quadrilateral's corners from the prior's, which are learnt in the
    same way (code_type CENTER_SIZE only); bottom[0] is N x 12PL and bottom[3] 1 x 1 x G x 16. The loss of the deltas
    counts 20 at most, which the gradient does not know.
    As in Caffe, the gradient at the deltas is not divided by the variances of encode_variance_in_target.
    As in Caffe, LOGISTIC has the number background_label_id for what is to be 0, and without mining all images but
    the first have their classes at wrong priors. Unlike Caffe's CPU, which refuses it, map_object_to_agnostic goes
    with mining.
    Raises LayerError for params, shapes and objects that do not fit.
    Source: MultiBoxLossLayer of the SSD fork of Caffe; Liu et al., SSD (2016), equations 1 to 3. bottom[4] and
    bottom[5] are those of RefineDet's, use_polygon that of TextBoxes++.
    """

    reads: tuple[str, ...] | None = ("loss_param", "multibox_loss_param")
    bottom_count = (4, 6)
    no_gradient = (2, 3, 4, 5)
    origin = "SSD"
    refused = NO_CLASS_WEIGHTS
    without_effect: tuple[str, ...] = (
        "multibox_loss_param.do_neg_mining",
        "multibox_loss_param.ignore_difficult_gt",  # nor in NVCaffe
        "loss_param.ignore_label",
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = param = self.layer_param.multibox_loss_param
        if param.num_classes < 1:
            raise self.error("multibox_loss_param names no num_classes; give it, background included")
        if param.map_object_to_agnostic and (param.num_classes, param.background_label_id) != (2, 0):
            raise self.error("map_object_to_agnostic needs num_classes 2 and background_label_id 0")
        check_mining(self, param)
        self.mines = param.mining_type != Param.NONE
        self.logistic = param.conf_loss_type == Param.LOGISTIC
        if param.background_label_id >= param.num_classes and (self.mines or not self.logistic):
            raise self.error(
                f"background_label_id is {param.background_label_id}; expected a class below {param.num_classes}"
            )
        if len(bottom) == 6 and not param.share_location:
            raise self.error("bottom[5] moves the priors of all classes alike; set share_location: true")
        if param.use_polygon and (
            param.code_type != PriorBoxParameter.CENTER_SIZE or param.encode_variance_in_target
        ):
            raise self.error(
                "use_polygon goes with code_type: CENTER_SIZE, and variances that are not in the target"
            )
        self.numbers = 12 if param.use_polygon else 4
        self.counts = list(self.layer_param.propagate_down)[:2] or [True, True]
        self.priors = PriorBoxes(self, param.code_type, param.encode_variance_in_target)
        self.objects = GroundTruthBoxes(self, param)
        self.localization = LocalizationLoss(self.priors, self.objects, param)
        self.prob = Blob((), bottom[0].dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        labels, classes = 1 if self.param.share_location else self.param.num_classes, self.param.num_classes
        count = self.priors.check_shapes(bottom, labels, classes, self.numbers)
        self.objects.check_shape(bottom[3])
        for i, each in zip(range(4, len(bottom)), (2, 4), strict=False):
            self.priors.check_predictions(bottom, i, count, each)
        self.shape = bottom[0].num, count, labels
        self.prob.reshape(bottom[0].num * count, classes, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        deltas = bottom[0].data.reshape(*self.shape, self.numbers)
        scores = bottom[1].data.reshape(*self.shape[:2], -1)
        self.priors.read(bottom[2])
        self.objects.read(bottom[3], len(deltas))
        self.hard = np.ones(self.shape[:2], bool)
        if len(bottom) > 4:
            self.hard = bottom[4].data.reshape(*self.shape[:2], 2)[..., 1] >= np.float32(
                self.param.objectness_score
            )
        if len(bottom) > 5:
            self.priors.refine(bottom[5].data.reshape(*self.shape[:2], 4))
        matches, overlaps = match_priors(self.priors, self.objects, deltas[..., :4], self.param)
        self.localization.compare(deltas, matches)
        cost = self._cost(scores, matches)
        self.chosen = np.ones(cost.shape, bool)
        if self.mines:
            self._mine(deltas, matches, overlaps, cost)
        cost = self.loss_of_scores(scores, cost)
        param = self.layer_param.loss_param
        counts = *self.shape[:2], len(self.localization.distance)
        self.normalizer = normalizer(normalization_mode(param), *counts, param.pre_fixed_normalizer)
        place = self.param.loc_weight * self.localization.losses().sum() / self.normalizer
        if self.param.use_polygon:
            place = min(place, MOST_OF_POLYGONS)
        loss = self.counts[1] * cost[self.chosen].sum() / self.normalizer
        top[0].data[...] = loss + self.counts[0] * place

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        weight = loss_weight(top) / self.normalizer
        if propagate_down[0]:
            diff = bottom[0].diff.reshape(*self.shape, self.numbers)
            self.localization.gradient(weight * self.param.loc_weight, diff)
        if propagate_down[1]:
            diff = bottom[1].diff.reshape(self.target.shape)
            np.subtract(self.prob.data.reshape(diff.shape), self.target, out=diff)
            diff *= (self.chosen * self.slope * diff.dtype.type(weight))[..., None]

    def loss_of_scores(self, scores: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """The loss of each prior's scores, N x P. cost: what the hardest are found by.

        Sets slope: what the gradient of the cost is multiplied by, for that of the loss.
        """
        self.slope = np.ones_like(cost)
        return cost + self._filled_as_in_caffe(scores) if self.logistic else cost

    def _cost(self, scores: np.ndarray, matches: np.ndarray) -> np.ndarray:
        """The loss of each prior's scores, N x P; keeps its probabilities and what they should be."""
        param, prob = self.param, self.prob.data
        image, place, _ = self.matched = self.localization.where
        self.labels = self.localization.labels
        wanted = np.full(matches.shape[:2], param.background_label_id)
        wanted[image, place] = self.labels
        self.target = (wanted[..., None] == np.arange(param.num_classes)).astype(scores.dtype)
        if not self.logistic:
            softmax_kernels.softmax(scores.reshape(prob.shape), prob)
            right = (prob.reshape(scores.shape) * self.target).sum(axis=2)
            return -np.log(np.maximum(right, LEAST_PROBABILITY))
        prob = prob.reshape(scores.shape)
        log1p_exp(scores, prob)
        cost = (np.maximum(scores, 0) - scores * self.target + prob).sum(axis=2)
        exp_of_negative(scores, prob)
        np.divide(1, prob + 1, out=prob)
        return cost

    def _filled_as_in_caffe(self, scores: np.ndarray) -> np.ndarray:
        """Change what LOGISTIC's probabilities should be to what Caffe has there; returns the change of the losses.

        It fills with the number of the background. Without mining its step from image to image is that of
        one number a prior, so the classes of later images come to lie at other priors.
        """
        before, (_, count, classes) = self.target, self.target.shape
        self.target = np.full_like(before, self.param.background_label_id)
        image, place, _ = self.matched
        if self.mines:
            self.target[before == 1] = 1
        else:
            self.target.reshape(-1)[image * count + place * classes + self.labels] = 1
        return (scores * (before - self.target)).sum(axis=2)

    def _mine(self, deltas: np.ndarray, matches: np.ndarray, overlaps: np.ndarray, cost: np.ndarray) -> None:
        """Set which priors count, and forget the matches that do not."""
        loss = cost.copy()
        if self.param.mining_type == Param.HARD_EXAMPLE:
            loss[self.localization.where[:2]] += self.localization.losses()[:, :4].sum(axis=1)
        self.chosen.fill(False)
        for n in np.unique(self.objects.images):
            boxes = (
                self.priors.boxes if self.param.use_prior_for_nms else self.priors.decode(deltas[n, :, 0, :4])
            )
            of_image = loss[n], matches[n, :, 0], overlaps[n, :, 0], boxes, self.hard[n]
            self.chosen[n] = choose(self.param, *of_image)
        self.localization.keep(self.chosen)
