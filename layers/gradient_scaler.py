"""GradientScaler: reverses or scales gradients, for adversarial training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.registry import register

SCHEDULE = ("lower_bound", "upper_bound", "alpha", "max_iter")


@register("GradientScaler")
class GradientScaler(Layer):
    """Passes its bottoms on; backward multiplies gradients by -c, c going from lower_bound up, or by scale_factor.

    bottoms, tops: any shapes, as many tops as bottoms; each top shares its bottom's data. c = 2 h / (1 + exp(-alpha p))
    - h + lower_bound, h = upper_bound - lower_bound, and p the part of max_iter iterations that is done, 1 at most. An
    iteration is a forward in phase TRAIN (the fork's solver tells it; without one c is 1 there). With scale_factor the
    gradients are multiplied by it as it is (-0.1 turns them round), from the first iteration on.
    Raises LayerError for other numbers of tops, for max_iter not above 0, and for scale_factor with the other fields.
    Source: GradientScalerLayer of Ganin's Caffe; Ganin and Lempitsky, Domain Adaptation by Backpropagation (2015); for
    scale_factor that of yuhuayc/da-faster-rcnn.
    """

    reads = ("gradient_scaler_param",)
    origin = "Ganin"
    bottom_count = (1, None)
    top_count = (1, None)
    equal_bottom_top = True
    shares_data = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.gradient_scaler_param
        if not param.max_iter > 0:
            raise self.error(f"max_iter is {param.max_iter:g}; it must be above 0")
        others = [name for name in SCHEDULE if param.HasField(name)]
        self.fixed = param.HasField("scale_factor")
        if self.fixed and others:
            raise self.error(f"scale_factor goes without {', '.join(others)}; leave it or them out")
        self.iteration, self.coefficient = 0, -param.scale_factor if self.fixed else 1.0

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for below, above in zip(bottom, top, strict=True):
            above.reshape(*below.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for below, above in zip(bottom, top, strict=True):
            above.share_data(below)
        if self.phase == TRAIN and not self.fixed:
            param = self.layer_param.gradient_scaler_param
            height, progress = param.upper_bound - param.lower_bound, min(1, self.iteration / param.max_iter)
            with np.errstate(over="ignore"):
                share = 2 / (1 + np.exp(-np.float64(param.alpha) * progress))
            self.coefficient = float(share * height - height + param.lower_bound)
            self.iteration += 1

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for below, above, wanted in zip(bottom, top, propagate_down, strict=True):
            if wanted:
                np.multiply(above.diff, below.dtype.type(-self.coefficient), out=below.diff)

    def get_state(self) -> dict[str, np.ndarray]:
        return {"iteration": np.array(self.iteration), "coefficient": np.array(self.coefficient)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.iteration, self.coefficient = int(state["iteration"]), float(state["coefficient"])
