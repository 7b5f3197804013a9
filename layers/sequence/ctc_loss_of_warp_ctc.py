"""CtcLoss, of the forks with warp-ctc."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, class_labels, loss_weight
from caffe_compat.layers.registry import register
from caffe_compat.layers.sequence.ctc import log_softmax, loss_and_occupancy


@register("CtcLoss")
class CtcLoss(LossLayer):
    """-log of the probability that scores show labels in their order, averaged over the sequences.

    bottom[0]: scores before the softmax, T x N x alphabet_size; bottom[1]: labels, N x L, whole numbers; those that are
    blank_label do not count. top[0]: the loss. Only the first time_step steps count. A sequence with more labels than
    steps costs 0, and has no gradient. Without ctc_loss_param: all classes and steps, and blank_label 0.

    As in the original the gradient is that of the sum over the sequences, N times that of the top. Raises LayerError
    for shapes or params that do not fit, labels that are no class, and a batch with blank labels only.

    Source: CtcLossLayer of xmfbit/warpctc-caffe and of dlunion's CC4.0, with Baidu's warp-ctc.
    """

    reads = ("ctc_loss_param",)
    origin = "warp-ctc's"
    refused = {
        f"ctc_loss_param.{field}": "it is for type CTCLoss; CtcLoss has alphabet_size, time_step and blank_label"
        for field in (
            "output_delay",
            "blank_index",
            "preprocess_collapse_repeated",
            "ctc_merge_repeated",
            "loss_calculation_t",
        )
    }

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.ctc_loss_param, bottom[0].shape
        if len(shape) != 3 or bottom[0].count == 0:
            raise self.error(f"bottom[0] has the shape {shape}, expected T x N x classes")
        if bottom[1].num != shape[1]:
            raise self.error(f"bottom[1] has the shape {bottom[1].shape}, expected {shape[1]} x L labels")
        given = self.layer_param.HasField("ctc_loss_param")
        if given and param.alphabet_size != shape[2]:
            raise self.error(
                f"alphabet_size is {param.alphabet_size}, bottom[0] {shape} has {shape[2]} classes"
            )
        self.steps = param.time_step if given else shape[0]
        if not 1 <= self.steps <= shape[0]:
            raise self.error(
                f"time_step is {self.steps}; it must be from 1 to the {shape[0]} steps of bottom[0]"
            )
        if not 0 <= param.blank_label < shape[2]:
            raise self.error(f"blank_label is {param.blank_label}, bottom[0] has {shape[2]} classes")
        top[0].reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        _, streams, classes = bottom[0].shape
        blank = self.layer_param.ctc_loss_param.blank_label
        labels = class_labels(self, bottom[1], classes).reshape(streams, -1)
        if (labels == blank).all():
            raise self.error(f"all labels are blank_label {blank}: there is nothing to take a loss of")
        log_y = log_softmax(bottom[0].data[: self.steps])
        losses, self.gradient = np.zeros(streams), np.zeros(bottom[0].shape)
        for n, row in enumerate(labels):
            shown = row[row != blank]
            repeats = np.count_nonzero(shown[1:] == shown[:-1])
            if len(shown) + repeats <= self.steps:
                losses[n], occupancy = loss_and_occupancy(log_y[:, n], shown, blank)
                self.gradient[: self.steps, n] = np.exp(log_y[:, n]) - occupancy
        top[0].data[...] = losses.mean()

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = loss_weight(top) * self.gradient
