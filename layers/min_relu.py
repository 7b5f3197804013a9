"""The negative half of a rectified linear unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("MinReLU")
class MinReLU(InPlaceLayer):
    """min(x, 0): what ReLU leaves out; any shape.

    Source: the AlexNet of bvlc_alexnet_VReLU, which has it in a second branch beside that of ReLU. Its Caffe was not
    published; this is what the name says, and what FlowNet2's NegReLU computes.
    """

    reads = ()
    origin = "VReLU"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.minimum(bottom[0].data, 0, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, bottom[0].data < 0, out=bottom[0].diff)
