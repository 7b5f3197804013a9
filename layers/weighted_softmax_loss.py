"""WeightedSoftmaxWithLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import NO_CLASS_WEIGHTS
from caffe_compat.layers.registry import register
from caffe_compat.layers.softmax_loss import SoftmaxWithLoss


@register("WeightedSoftmaxWithLoss")
class WeightedSoftmaxWithLoss(SoftmaxWithLoss):
    """SoftmaxWithLoss in which what each label costs is multiplied by a weight, which the normalization does not count.

    bottom[2], if there is one: the weights, one a label, or one an example, which take no gradient. Else those of
    softmax_param: pos_mult of the labels pos_cid, or each label_scale of the labels that its label_id names; 1 of
    others. top[1], if wanted: the probabilities, in the shape of bottom[0].
    Raises LayerError where nothing or several of these say the weights, since Caffes differ in what they do then, and
    for other numbers of weights.
    Source: WeightedSoftmaxWithLossLayer of shicai's Weighted_Softmax_Loss (pos_cid), niuchuangnn's Caffe (label_id),
    odegeasslbc's and jind11's (bottom[2]), LSTD's (one weight an example, where labels of weight 0 do not count in the
    normalization, unlike here).
    """

    origin = "public Caffes"
    bottom_count = (2, 3)
    top_count = (1, 2)
    no_gradient = (1, 2)
    refused = NO_CLASS_WEIGHTS

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.softmax_param
        given = (
            len(bottom) > 2,
            param.HasField("pos_mult") or param.HasField("pos_cid"),
            bool(param.label_id or param.label_scale),
        )
        if sum(given) != 1:
            raise self.error(
                f"{'several' if any(given) else 'none'} of a third bottom, softmax_param's pos_cid and pos_mult, and "
                "its label_id and label_scale say the weights; give one (SoftmaxWithLoss has no weights)"
            )
        if len(param.label_id) != len(param.label_scale):
            raise self.error(
                f"there are {len(param.label_id)} label_id and {len(param.label_scale)} label_scale; give as many"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.is_weighted = True
        if len(bottom) > 2 and bottom[2].count not in (bottom[1].count, self.view[0]):
            raise self.error(
                f"bottom[2] has the shape {bottom[2].shape}; expected one weight for each of {bottom[1].count} labels "
                f"or {self.view[0]} examples"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.given_weights = bottom[2].data.reshape(self.view[0], -1) if len(bottom) > 2 else None
        super().forward(bottom, top)

    def _weights(self) -> np.ndarray:
        if self.given_weights is not None:
            return np.where(self.labels >= 0, self.given_weights, 0)
        param = self.layer_param.softmax_param
        weights = np.ones(self.view[1], self.prob.dtype)
        pairs = list(zip(param.label_id, param.label_scale, strict=True)) or [(param.pos_cid, param.pos_mult)]
        for label, weight in reversed(pairs):  # of a label that is named twice, the first counts
            if 0 <= label < len(weights):
                weights[label] = weight
        return np.where(self.labels >= 0, weights[self.labels], 0)
