"""MovingCenterLoss: what hsmyy's Caffe calls CenterLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_one_label_each, class_labels
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def has_clusters(layer_param: LayerParameter) -> bool:
    """Whether a layer of type CenterLoss is hsmyy's."""
    return layer_param.center_loss_param.HasField("cluster_num")


@register_form("MovingCenterLoss", of="CenterLoss", describes=has_clusters)
class MovingCenterLoss(LossLayer):
    """A CenterLoss whose centres are no params: every forward moves them, from 0.

    A layer of type CenterLoss with cluster_num is this one. bottom[0]: N x C features (axes behind are 1); bottom[1]: N
    whole labels. top[0]: the layer's own loss_weight times half the mean of the squares of the distances, a scalar.
    Then each centre goes alpha loss_weight / (1 + k) times the sum of its k examples' differences towards them, in
    both phases. The gradient is not the true one: loss_weight (x - centre), neither over N nor times the net's loss
    weight. Raises LayerError for cluster_num 0, other shapes, and a label that is no class.
    Source: CenterLossLayer of hsmyy's CenterLoss_Caffe_Mnist.
    """

    reads = ("center_loss_param",)
    origin = "hsmyy"
    without_effect = tuple(
        f"center_loss_param.{name}" for name in ("num_output", "center_filler", "axis", "distance_type")
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.center_loss_param
        if param.cluster_num < 1:
            raise self.error(f"cluster_num is {param.cluster_num}; it must be at least 1")
        self.centres = Blob((param.cluster_num, check_one_label_each(self, bottom)[1]), bottom[0].dtype).data

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.view = check_one_label_each(self, bottom)
        if self.view[1] != self.centres.shape[1]:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; the centres have {self.centres.shape[1]} features"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.center_loss_param
        labels = class_labels(self, bottom[1], len(self.centres))
        difference = bottom[0].data.reshape(self.view) - self.centres[labels]
        top[0].data[...] = param.loss_weight * np.vdot(difference, difference) / 2 / len(labels)
        self.slope = difference * difference.dtype.type(param.loss_weight)
        counts = 1 + np.bincount(labels, minlength=len(self.centres))
        moves = self.slope * (param.alpha / counts[labels])[:, None].astype(difference.dtype)
        np.add.at(self.centres, labels, moves)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff.reshape(self.view), self.slope)

    def get_state(self) -> dict[str, np.ndarray]:
        return {"centres": self.centres.copy()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.centres[...] = state["centres"]
