"""HSwish, and HardSwish."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("HSwish")
class HSwish(InPlaceLayer):
    """x min(max(x + 3, 0), 6) / 6; any shape. Source: HSwishLayer of aovoc's Caffe; Howard et al., Searching for
    MobileNetV3 (2019)."""

    reads = ()
    origin = "aovoc"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = self.keep_input(bottom, top)
        np.multiply(x, np.clip(x + 3, 0, 6) / 6, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = self.kept_input(bottom, top)
            slope = np.clip(x + 3, 0, 6) / 6 + x / 6 * ((x > -3) & (x < 3))
            np.multiply(top[0].diff, slope, out=bottom[0].diff)


@register("HardSwish")
class HardSwish(HSwish):
    """x min(max(x + 3, 0), 6) / 6; any shape. Source: HardSwishLayer of Synopsys' Caffe, which has no backward pass."""

    origin = "Synopsys"
