"""EuclideanLossHeatmap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer
from caffe_compat.layers.registry import register


@register("EuclideanLossHeatmap")
class EuclideanLossHeatmap(LossLayer):
    """The mean square of bottom[0] - bottom[1], heat maps N x C x H x W; top[0] is a scalar.

    bottom[2]: the images, only to be shown, which is not done. The gradient is the difference itself, whatever the
    batch and the loss weight, as there. Raises LayerError for maps that are not of one shape.
    Source: EuclideanLossHeatmapLayer of tpfister/caffe-heatmap; Pfister et al., Flowing ConvNets (2015).
    """

    reads = ()
    origin = "caffe-heatmap"
    bottom_count = (3, 3)
    no_gradient = (1, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(bottom[0].shape) != 4 or bottom[0].shape != bottom[1].shape:
            raise self.error(
                f"the maps have the shapes {bottom[0].shape} and {bottom[1].shape}; expected N x C x H x W, "
                "the same twice"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = np.mean(np.square(bottom[0].data - bottom[1].data))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.subtract(bottom[0].data, bottom[1].data, out=bottom[0].diff)
