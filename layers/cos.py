"""The cosine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("Cos")
class Cos(InPlaceLayer):
    """cos(x), x in radians; any shape. Source: CosLayer of pose-drl (aleksispi)."""

    reads = ()
    origin = "pose-drl"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.cos(self.keep_input(bottom, top), out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(-np.sin(self.kept_input(bottom, top)), top[0].diff, out=bottom[0].diff)
