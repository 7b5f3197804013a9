"""Rectified linear units that end at 6."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.kernels import neuron as kernels
from caffe_compat.layers.registry import register

LIMIT = 6


@register("ReLU6")
class ReLU6(InPlaceLayer):
    """max(x, 0) + relu6_param.negative_slope * min(x, 0), but 6 at most; any shape. The gradient is 0 from 6 on.

    Raises LayerError in place with a negative slope: the sign of the input would be lost for backward.
    Source: ReLU6Layer of the Caffe of MobileNet-YOLO; Howard and others, MobileNets (2017).
    """

    reads = ("relu6_param",)
    origin = "MobileNet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        slope = self.layer_param.relu6_param.negative_slope
        if slope < 0 and top[0] is bottom[0]:
            raise self.error(
                f"negative_slope {slope:g} is below 0, which does not work in place; rename the top"
            )
        self.slope = bottom[0].dtype.type(slope)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        kernels.relu(bottom[0].data.reshape(-1), self.slope, y.reshape(-1))
        np.minimum(y, LIMIT, out=y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, y_diff, x_diff = bottom[0].data, top[0].diff, bottom[0].diff
            kernels.relu_backward(x.reshape(-1), y_diff.reshape(-1), self.slope, x_diff.reshape(-1))
            x_diff *= x < LIMIT
