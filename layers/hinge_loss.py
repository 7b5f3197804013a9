"""HingeLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_one_label_each, class_labels, loss_weight
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import HingeLossParameter


@register("HingeLoss")
class HingeLoss(LossLayer):
    """One against all: the sum of max(0, 1 - t x), over the number of examples; t is 1 for the label, else -1.

    bottom[0]: scores x, examples x classes; further axes are classes too. bottom[1]: one whole label (0 to
    classes - 1) an example. top[0]: the loss, a scalar. hinge_loss_param.norm: L2 squares what is summed.
    Raises LayerError for a label out of range. Source: Caffe's HingeLossLayer.
    """

    reads = ("hinge_loss_param",)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)
        if not hasattr(self, "margins"):
            self.margins = Blob((), bottom[0].dtype)
        self.margins.reshape(*self.view)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        examples, classes = self.view
        x, margins = bottom[0].data.reshape(self.view), self.margins.data
        self.hit = np.arange(examples), class_labels(self, bottom[1], classes)
        np.add(x, 1, out=margins)
        margins[self.hit] = 1 - x[self.hit]
        np.maximum(margins, 0, out=margins)
        loss = np.vdot(margins, margins) if self._squared else margins.sum()
        top[0].data[...] = loss / examples

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x_diff, scale = bottom[0].diff.reshape(self.view), loss_weight(top) / self.view[0]
            if self._squared:
                np.multiply(self.margins.data, x_diff.dtype.type(2 * scale), out=x_diff)
            else:
                np.multiply(self.margins.data > 0, x_diff.dtype.type(scale), out=x_diff)
            x_diff[self.hit] *= -1

    @property
    def _squared(self) -> bool:
        return self.layer_param.hinge_loss_param.norm == HingeLossParameter.L2
