"""AdaCosAddmScale: ArcFace's margin, and a scale that follows the angles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.metric.angular_margin import AngularMargin, shifted_cosines
from caffe_compat.layers.registry import register


@register("AdaCosAddmScale")
class AdaCosAddmScale(AngularMargin):
    """CosinAddm with adacos_add_m_scale_param.m, then times a scale that every forward computes anew.

    bottom[0]: cosines, N x classes; bottom[1]: N labels, -1 for none. top[0]: like bottom[0]. The scale s, at first
    sqrt(2) log(num_classes - 1), becomes the logarithm of the mean over the examples of the sum of exp(s cosine) over
    the other classes (and 1 for the own), divided by the cosine of the mean angle, of at most 45 degrees. Backward
    takes it as a number. Cosines beyond 1 have the angle 0 (the fork's mean is NaN then).
    Raises LayerError for num_classes below 3, and for a label that is no class.
    Source: AdaCosAddmScaleLayer of xialuxi's Caffe; Zhang et al., AdaCos (2019).
    """

    reads = ("adacos_add_m_scale_param",)
    origin = "xialuxi"
    without_effect = ("adacos_add_m_scale_param.transform_test",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        classes = self.layer_param.adacos_add_m_scale_param.num_classes
        if not classes > 2:
            raise self.error(f"adacos_add_m_scale_param.num_classes is {classes:g}; it must be at least 3")
        self.scale = math.sqrt(2) * math.log(classes - 1)

    def changed(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return shifted_cosines(scores, self.layer_param.adacos_add_m_scale_param.m)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        if not bottom[0].count:
            return
        cosines = bottom[0].data.reshape(self.view)
        angle = min(float(np.arccos(np.clip(cosines, -1, 1)).mean()), math.pi / 4)
        others = cosines.copy()
        others[self.own] = 0
        sums = np.exp(self.scale * others.astype(np.float64)).sum() / len(others)
        self.scale = float(np.log(sums)) / math.cos(angle)
        top[0].data[...] *= bottom[0].dtype.type(self.scale)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        super().backward(top, propagate_down, bottom)
        if propagate_down[0]:
            bottom[0].diff[...] *= bottom[0].dtype.type(self.scale)

    def get_state(self) -> dict[str, np.ndarray]:
        return {"scale": np.array(self.scale)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.scale = float(state["scale"])
