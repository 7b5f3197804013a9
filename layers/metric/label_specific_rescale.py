"""LabelSpecificRescale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.loss import check_one_label_each
from caffe_compat.layers.metric.angular_margin import own_classes
from caffe_compat.layers.registry import register

NOT_BUILT = (
    "positive_weight_base",
    "gamma",
    "power",
    "positive_weight_min",
    "positive_weight_max",
    "iteration",
    "bias_fix",
    "power_on_positive",
)


@register("LabelSpecificRescale")
class LabelSpecificRescale(InPlaceLayer):
    """The score of each example's own class times positive_weight, the others times negative_weight.

    bottom[0]: scores, N x classes; bottom[1]: N labels, -1 for none. top[0]: like bottom[0]. In phase TEST only with
    rescale_test; with for_ip a score that is not above 0 stays. All of label_specific_rescale_param.
    Raises LayerError for a label that is no class.
    Source: LabelSpecificRescaleLayer of happynear's Caffe; Wang et al., NormFace (2017).
    """

    reads = ("label_specific_rescale_param",)
    origin = "happynear"
    bottom_count = (2, 2)
    no_gradient = (1,)
    without_effect = tuple(
        f"label_specific_rescale_param.{name}" for name in ("positive_lower_bound", "negative_upper_bound")
    )
    refused = {
        f"label_specific_rescale_param.{name}": "it is not built; a Python layer can compute it"
        for name in NOT_BUILT
    }

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.weights = self._weights(bottom)
        np.multiply(bottom[0].data, self.weights, out=top[0].data)

    def _weights(self, bottom: Sequence[Blob]) -> np.ndarray:
        """Of each score, like bottom[0]."""
        param, dtype = self.layer_param.label_specific_rescale_param, bottom[0].dtype.type
        if self.phase != TRAIN and not param.rescale_test:
            return np.ones(bottom[0].shape, dtype)
        weights = np.full(self.view, dtype(param.negative_weight))
        own = own_classes(self, bottom)
        stays = param.for_ip & (bottom[0].data.reshape(self.view)[own] <= 0)
        weights[own] = np.where(stays, 1, dtype(param.positive_weight))
        return weights.reshape(bottom[0].shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, self.weights, out=bottom[0].diff)
