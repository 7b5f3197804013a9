"""CombinedMargin: the margins of SphereFace, ArcFace and CosFace in one."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.metric.angular_margin import AngularMargin
from caffe_compat.layers.registry import register


@register("CombinedMargin")
class CombinedMargin(AngularMargin):
    """The cosine of each example's own class becomes cos(m1 * angle + m2) - m3, of combined_margin_param.

    bottom[0]: cosines, N x classes; bottom[1]: N labels, -1 for none. top[0]: like bottom[0]. In phase TEST too, as on
    the fork's CPU. A cosine beyond 1 has the angle 0, and no finite gradient (as where it is 1).
    Raises LayerError for a label that is no class.
    Source: CombinedMarginLayer of xialuxi's Caffe; Deng et al., ArcFace (2019), section 2.3.
    """

    reads = ("combined_margin_param",)
    origin = "xialuxi"
    without_effect = ("combined_margin_param.transform_test",)

    def changed(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        param = self.layer_param.combined_margin_param
        cosines = np.clip(scores, -1, 1)
        angles = param.m1 * np.arccos(cosines) + param.m2
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = param.m1 * np.sin(angles) / np.sqrt(1 - cosines * cosines)
        return (np.cos(angles) - param.m3).astype(scores.dtype), slopes.astype(scores.dtype)
