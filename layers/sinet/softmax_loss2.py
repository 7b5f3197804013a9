"""SoftmaxWithLoss2."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import NO_CLASS_WEIGHTS, NO_LABEL_WEIGHTS
from caffe_compat.layers.registry import register
from caffe_compat.layers.sinet.branches import branch_is_empty, check_branch
from caffe_compat.layers.softmax_loss import SoftmaxWithLoss


@register("SoftmaxWithLoss2")
class SoftmaxWithLoss2(SoftmaxWithLoss):
    """SoftmaxWithLoss of one branch of RoIs, which costs nothing where it has none.

    bottom[0], bottom[1]: scores and labels; bottom[2]: ROISplit's top[0], of which number branch_id of
    softmax_split_param, from 1, is this branch's. The axis of the classes is said twice, in softmax_param and
    softmax_split_param. Tops: as SoftmaxWithLoss, what nothing costs is 0. Raises LayerError as that does, for a branch
    that is none, and for two axes.
    Source: SoftmaxWithLoss2Layer of xw-hu/SINet, in which a branch without RoIs has the gradient of a row that nobody
    wrote.
    """

    reads = ("loss_param", "softmax_param", "softmax_split_param")
    without_effect = ("softmax_param.normalize_type", "softmax_split_param.engine")
    refused = NO_LABEL_WEIGHTS | NO_CLASS_WEIGHTS
    origin = "SINet"
    bottom_count = (3, 3)
    no_gradient = (1, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        axes = self.layer_param.softmax_param.axis, self.layer_param.softmax_split_param.axis
        if axes[0] != axes[1]:
            raise self.error(
                f"softmax_param.axis is {axes[0]} and softmax_split_param.axis {axes[1]}; give them alike"
            )
        self.branch = self.layer_param.softmax_split_param.branch_id
        check_branch(self, bottom[2], self.branch)
        super().reshape(bottom, top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        if branch_is_empty(self, bottom[2], self.branch):
            for costs in (top[0], *top[2:]):
                costs.data[...] = 0

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        super().backward(top, propagate_down, bottom)
        if propagate_down[0] and branch_is_empty(self, bottom[2], self.branch):
            bottom[0].diff[...] = 0
