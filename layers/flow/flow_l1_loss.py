"""L1Loss of FlowNet2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.flow.missing_loss import MissingLoss
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def is_flownets(layer_param: LayerParameter) -> bool:
    """Whether a layer of type L1Loss has FlowNet2's message, or its single bottom."""
    return layer_param.HasField("l1_loss_param") or len(layer_param.bottom) == 1


@register_form("FlowL1Loss", of="L1Loss", describes=is_flownets)
class FlowL1Loss(MissingLoss):
    """Sum of distances, over the number of images, with missing targets (l1_loss_param).

    A layer of type L1Loss with an l1_loss_param, or with one bottom, is this one. bottoms: N x C x H x W, the
    second, if there is one, subtracted from the first; NaN, which is a missing target, counts 0. A distance below
    plateau counts 0. With l2_per_location the distance is that of the pixels' vectors: sqrt(sum of squares +
    epsilon), the sum over the channels their mean with l2_prescale_by_channels; a plateau leaves sqrt(epsilon).
    normalize_by_num_entries divides by the number of distances that are not missing, over C, instead. Raises
    LayerError for shapes that differ.

    Source: L1LossLayer of lmb-freiburg/flownet2, its GPU kernels: there are none for the CPU. The gradient of a
    distance of 0 is that of a negative one, as there. Without any target it divides by 0; here by 1.
    """

    reads = ("l1_loss_param",)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.l1_loss_param
        difference, known = self.difference(bottom)
        if param.l2_per_location:
            distances = np.sqrt(self._squares(bottom, difference) + self.dtype(param.epsilon))
        else:
            distances = np.abs(difference) * (np.abs(difference) >= param.plateau)
        total = distances.sum(dtype=np.float64)
        top[0].data[...] = total / self.divisor(known, param.normalize_by_num_entries)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        param = self.layer_param.l1_loss_param
        difference, known = self.difference(bottom)
        if param.l2_per_location:
            squares = self._squares(bottom, difference)
            distances = np.sqrt(squares + self.dtype(param.epsilon))
            scale = self.channel_scale(bottom, param.l2_prescale_by_channels)
            counts = (squares > 0) / np.where(squares > 0, distances, 1)
            gradient = difference * counts * self.dtype(scale)
        else:
            gradient = np.where(difference > 0, 1, -1) * (known & (np.abs(difference) >= param.plateau))
        divisor = self.dtype(self.divisor(known, param.normalize_by_num_entries))
        self.write_gradient(gradient.astype(self.dtype) / divisor, top, propagate_down, bottom)

    def _squares(self, bottom: Sequence[Blob], difference: np.ndarray) -> np.ndarray:
        """Of each pixel the sum of squares, N x 1 x H x W; 0 on the plateau."""
        param = self.layer_param.l1_loss_param
        squares = (difference**2).sum(axis=1, keepdims=True)
        squares = squares * self.dtype(self.channel_scale(bottom, param.l2_prescale_by_channels))
        return np.where(squares < param.plateau**2, 0, squares)
