"""TripletSetLoss: a TripletLoss of sets in one blob."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def has_sets(layer_param: LayerParameter) -> bool:
    """Whether a TripletLoss layer has two bottoms, or fields of yanhuama's."""
    param = layer_param.triplet_loss_param
    return len(layer_param.bottom) == 2 or any(map(param.HasField, ("losstype", "num_triplets", "use_pair")))


@register_form("TripletSetLoss", of="TripletLoss", describes=has_sets)
class TripletSetLoss(LossLayer):
    """Half the mean over sets of |a - p|^2 and of what each negative n costs.

    bottom[0]: N x C features (axes behind are 1), in sets of a, p and triplet_loss_param.num_triplets negatives;
    bottom[1]: N numbers, which are not read; top[0]: a scalar. losstype 0: max(0, margin + |a - p|^2 - |a - n|^2);
    another one: max(0, 1 - |a - n|^2 / (margin + |a - p|^2)). With use_pair: 0 |a - p|^2 itself costs nothing. A layer
    of type TripletLoss with one of these fields, or with two bottoms, is this one. Raises LayerError where sets are not
    complete.

    Source: TripletLossLayer of yanhuama's Caffe, and for use_pair, muneebshahid's; Wohlhart and Lepetit, Learning
    Descriptors (2015).
    """

    reads = ("triplet_loss_param",)
    origin = "yanhuama"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = bottom[0].num, bottom[0].count // bottom[0].num
        size = 2 + self.layer_param.triplet_loss_param.num_triplets
        if bottom[0].num % size:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; sets of {size} (num_triplets and 2) do not divide it"
            )
        self.sets = bottom[0].num // size, size, self.view[1]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, param = bottom[0].data.reshape(self.sets), self.layer_param.triplet_loss_param
        margin = x.dtype.type(param.margin)
        near, far = x[:, 0] - x[:, 1], x[:, :1] - x[:, 2:]
        squares, far_squares = np.einsum("sc,sc->s", near, near)[:, None], np.einsum("stc,stc->st", far, far)
        if param.losstype == 0:
            costs = margin + squares - far_squares
            of_near, of_far = np.ones_like(costs), np.ones_like(costs)
        else:
            scale = 1 / (squares + margin)
            costs = 1 - far_squares * scale
            of_near, of_far = far_squares * scale * scale, np.broadcast_to(scale, costs.shape)
        counts = costs > 0
        pair = x.dtype.type(not param.HasField("use_pair") or param.use_pair == 1)
        top[0].data[...] = (pair * squares.sum() + costs[counts].sum()) / len(x) / 2
        pull, push = pair + (of_near * counts).sum(axis=1), (of_far * counts)[:, :, None] * far
        self.slopes = np.empty_like(x)
        self.slopes[:, 1] = -pull[:, None] * near
        self.slopes[:, 2:] = push
        self.slopes[:, 0] = -self.slopes[:, 1] - push.sum(axis=1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.slopes.dtype.type(loss_weight(top) / len(self.slopes))
            np.multiply(self.slopes, scale, out=bottom[0].diff.reshape(self.sets))
