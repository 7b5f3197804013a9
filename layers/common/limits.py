"""What layers have in common that cut values off below and above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.kernels import neuron as kernels


class LimitsLayer(InPlaceLayer):
    """x, but limits[0] at least and limits[1] at most; the gradient is 0 where x lies outside. `setup` sets limits."""

    limits: tuple[np.floating, np.floating]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.clip(self.keep_input(bottom, top), *self.limits, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = self.kept_input(bottom, top).reshape(-1)
            kernels.clip_backward(x, top[0].diff.reshape(-1), *self.limits, bottom[0].diff.reshape(-1))
