"""CenterLoss."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import canonical_axis
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.common.loss import LossLayer, class_labels, loss_weight
from caffe_compat.layers.registry import register


@register("CenterLoss")
class CenterLoss(LossLayer):
    """Half the mean of the squares of each example's distance to the centre of its class.

    bottom[0]: M examples of K features (the axes from `axis`, 1, on); bottom[1]: M whole labels. top[0]: the loss, a
    scalar. params[0]: the centres, num_output x K. With distance_type L1: the mean of the sums of absolute differences.
    A centre's gradient is not the loss's: it is the sum, over the k examples of its class, of centre - example, over
    1 + k, whatever the loss weight. Raises LayerError for num_output 0, other shapes, and a label that is no class.
    Source: CenterLossLayer of ydwen's caffe-face, distance_type of happynear's Caffe; Wen et al. (2016).
    """

    reads = ("center_loss_param",)
    origin = "caffe-face"
    param_axes = (("class", "input"),)
    without_effect = tuple(f"center_loss_param.{name}" for name in ("alpha", "loss_weight"))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.center_loss_param
        if param.num_output < 1:
            raise self.error(f"num_output is {param.num_output}; it must be at least 1")
        if param.distance_type not in ("L1", "L2"):
            raise self.error(f"distance_type is '{param.distance_type}'; expected L1 or L2")
        self.squared = param.distance_type == "L2"
        features = math.prod(bottom[0].shape[canonical_axis(self, param.axis, bottom[0]) :])
        set_up_params(self, ((param.num_output, features), param.center_filler))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        rows, features = bottom[0].num, self.blobs[0].shape[1]
        if bottom[0].count != rows * features or bottom[1].count != rows:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; expected a label for each "
                f"example, and {features} features, as the centres have"
            )
        self.view = rows, features

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        centres = self.blobs[0].data
        self.labels = class_labels(self, bottom[1], len(centres))
        self.difference = bottom[0].data.reshape(self.view) - centres[self.labels]
        if self.squared:
            top[0].data[...] = np.vdot(self.difference, self.difference) / self.view[0] / 2
        else:
            top[0].data[...] = np.abs(self.difference).sum() / self.view[0]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        slope = self.difference if self.squared else np.sign(self.difference)
        if self.propagates_to(0):
            counts = np.bincount(self.labels, minlength=len(self.blobs[0].data)).astype(slope.dtype)
            np.subtract.at(self.blobs[0].diff, self.labels, slope / (1 + counts[self.labels])[:, None])
        if propagate_down[0]:
            scale = slope.dtype.type(loss_weight(top) / self.view[0])
            np.multiply(slope, scale, out=bottom[0].diff.reshape(self.view))
