"""ScaleTanH."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("ScaleTanH")
class ScaleTanH(InPlaceLayer):
    """tanh(s x), where s grows while it learns; any shape.

    s is scale_tanh_param.init_scale, and after each step_size forwards in phase TRAIN init_scale (1 + gamma i)^power, i
    being the number of forwards so far. (The original counts in every phase, and reshapes in place of forwards.)
    Raises LayerError for step_size 0. Source: ScaleTanHLayer of thuml/HashNet; Cao et al., HashNet (2017).
    """

    reads = ("scale_tanh_param",)
    origin = "HashNet"
    backward_reads_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.layer_param.scale_tanh_param.step_size:
            raise self.error("step_size is 0; it must be above 0")
        self.scale, self.iteration = self.layer_param.scale_tanh_param.init_scale, 0

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.phase == TRAIN:
            param = self.layer_param.scale_tanh_param
            self.iteration += 1
            if self.iteration % param.step_size == 0:
                with np.errstate(all="ignore"):
                    grown = np.power(np.float64(1 + param.gamma * self.iteration), param.power)
                self.scale = float(param.init_scale * grown)
        np.tanh(bottom[0].data * self.dtype(self.scale), out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            slope = self.dtype(self.scale) * (1 - np.square(top[0].data))
            np.multiply(top[0].diff, slope, out=bottom[0].diff)

    def get_state(self) -> dict[str, np.ndarray]:
        return {"scale": np.array(self.scale), "iteration": np.array(self.iteration)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.scale, self.iteration = float(state["scale"]), int(state["iteration"])
