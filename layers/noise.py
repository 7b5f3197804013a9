"""Noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("Noise")
class Noise(InPlaceLayer):
    """Adds noise in phase TRAIN; the gradient passes unchanged.

    bottom, top: any shape. noise_param.gaussian_std, where it is given: normal numbers around `bias`, of that standard
    deviation times the root of the bottom's mean square; else uniform_range: numbers from bias - it to bias + it. Of
    neither, none. One draw of the global stream an element (see rng.py). Raises LayerError where one is below 0.
    Source: NoiseLayer of happynear's Caffe.
    """

    reads = ("noise_param",)
    origin = "happynear"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.noise_param
        if param.gaussian_std < 0 or param.uniform_range < 0:
            raise self.error(
                f"gaussian_std is {param.gaussian_std:g}, uniform_range {param.uniform_range:g}; "
                "they must be at least 0"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.phase == TRAIN:
            np.add(bottom[0].data, self._noise(bottom[0].data), out=top[0].data)
        elif top[0] is not bottom[0]:
            np.copyto(top[0].data, bottom[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0] and top[0] is not bottom[0]:
            np.copyto(bottom[0].diff, top[0].diff)

    def _noise(self, x: np.ndarray) -> np.ndarray:
        param, noise = self.layer_param.noise_param, np.zeros(x.shape, np.float32)
        if param.HasField("gaussian_std"):
            magnitude = float(np.sqrt(np.vdot(x, x) / max(x.size, 1)))
            if magnitude * param.gaussian_std > 0:
                caffe_rng().gaussian(param.bias, magnitude * param.gaussian_std, noise)
        elif param.HasField("uniform_range"):
            caffe_rng().uniform(param.bias - param.uniform_range, param.bias + param.uniform_range, noise)
        return noise
