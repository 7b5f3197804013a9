"""Rectified linear units."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.kernels import neuron as kernels
from caffe_compat.layers.registry import register


@register("ReLU")
class ReLU(InPlaceLayer):
    """max(x, 0) + relu_param.negative_slope * min(x, 0); any shape.

    Raises LayerError in place with a negative slope: the sign of the input would be lost for backward.
    Source: Caffe's ReLULayer.
    """

    reads = ("relu_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        slope = self.layer_param.relu_param.negative_slope
        if slope < 0 and top[0] is bottom[0]:
            raise self.error(
                f"negative_slope {slope:g} is below 0, which does not work in place; rename the top"
            )
        self.slope = bottom[0].dtype.type(slope)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        kernels.relu(bottom[0].data.reshape(-1), self.slope, top[0].data.reshape(-1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x, y_diff, x_diff = (array.reshape(-1) for array in (bottom[0].data, top[0].diff, bottom[0].diff))
            kernels.relu_backward(x, y_diff, self.slope, x_diff)
