"""CosinAddm: ArcFace's margin."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.metric.angular_margin import AngularMargin, shifted_cosines
from caffe_compat.layers.registry import register


@register("CosinAddm")
class CosinAddm(AngularMargin):
    """The cosine of each example's own class becomes that of its angle plus cosin_add_m_param.m.

    bottom[0]: cosines, N x classes; bottom[1]: N labels, -1 for none. top[0]: like bottom[0]. From the angle pi - m on
    the cosine goes down by m sin(m) instead. In phase TEST too, as on the fork's CPU (its GPU copies there).
    Raises LayerError for a label that is no class.
    Source: CosinAddmLayer of xialuxi's Caffe; Deng et al., ArcFace (2019).
    """

    reads = ("cosin_add_m_param",)
    origin = "xialuxi"
    without_effect = ("cosin_add_m_param.transform_test",)

    def changed(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return shifted_cosines(scores, self.layer_param.cosin_add_m_param.m)
