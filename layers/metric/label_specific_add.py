"""LabelSpecificAdd: CosFace's margin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.loss import check_one_label_each
from caffe_compat.layers.metric.angular_margin import own_classes
from caffe_compat.layers.registry import register


@register("LabelSpecificAdd")
class LabelSpecificAdd(InPlaceLayer):
    """Adds label_specific_add_param.bias to the score of each example's own class, in phase TRAIN.

    bottom[0]: scores, N x classes; bottom[1]: N labels, -1 for none. top[0]: like bottom[0]; top[1], if wanted: the
    bias, 1 number. A score of at most -bias stays. With bias_base the bias is bias_base + (1 + bias_gamma k)^bias_power
    - 1, between bias_min and bias_max, where k counts forwards from `iteration` on. The gradient passes unchanged.
    Raises LayerError for a label that is no class.
    Source: LabelSpecificAddLayer of happynear's Caffe; Wang et al., CosFace (2018).
    """

    reads = ("label_specific_add_param",)
    origin = "happynear"
    bottom_count = (2, 2)
    top_count = (1, 2)
    no_gradient = (1,)
    without_effect = ("label_specific_add_param.transform_test",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.label_specific_add_param
        self.bias, self.iteration = param.bias, param.iteration

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)
        if len(top) > 1:
            top[1].reshape(1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if top[0] is not bottom[0]:
            np.copyto(top[0].data, bottom[0].data)
        if self.phase == TRAIN:
            self._anneal()
            own = own_classes(self, bottom)
            scores = top[0].data.reshape(self.view)
            scores[own] += np.where(scores[own] > -self.bias, self.bias, 0).astype(scores.dtype)
        if len(top) > 1:
            top[1].data[...] = self.bias

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0] and top[0] is not bottom[0]:
            np.copyto(bottom[0].diff, top[0].diff)

    def _anneal(self) -> None:
        param = self.layer_param.label_specific_add_param
        if param.HasField("bias_base"):
            with np.errstate(all="ignore"):
                growth = np.float64(1 + param.bias_gamma * self.iteration) ** param.bias_power
            self.bias = float(min(max(param.bias_base + growth - 1, param.bias_min), param.bias_max))
            self.iteration += 1

    def get_state(self) -> dict[str, np.ndarray]:
        return {"bias": np.array(self.bias), "iteration": np.array(self.iteration)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.bias, self.iteration = float(state["bias"]), int(state["iteration"])
