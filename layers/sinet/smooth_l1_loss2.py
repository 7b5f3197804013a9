"""SmoothL1Loss2."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.fast_rcnn.robust_loss import RobustLoss
from caffe_compat.layers.registry import register
from caffe_compat.layers.sinet.branches import branch_is_empty, check_branch


@register("SmoothL1Loss2")
class SmoothL1Loss2(RobustLoss):
    """SmoothL1Loss of one branch of RoIs, which costs nothing where it has none.

    bottom[0] to bottom[3]: predictions, targets, inside and outside weights, as of SmoothL1Loss; bottom[4]: ROISplit's
    top[0], of which number branch_id of smooth_l1_split_param, from 1, is this branch's. smooth_l1_split_param.sigma:
    as of SmoothL1Loss. Raises LayerError as that does, and for a branch that is none.
    Source: SmoothL1Loss2Layer of xw-hu/SINet, in which a branch without RoIs has the gradient of what ran before.
    """

    reads = ("loss_param", "smooth_l1_split_param")
    origin = "SINet"
    bottom_count = (5, 5)
    no_gradient = (2, 3, 4)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.branch = self.layer_param.smooth_l1_split_param.branch_id
        check_branch(self, bottom[4], self.branch)
        super().reshape(bottom[:4], top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom[:4], top)
        if branch_is_empty(self, bottom[4], self.branch):
            for costs in top:
                costs.data[...] = 0

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        super().backward(top, propagate_down[:4], bottom[:4])
        if branch_is_empty(self, bottom[4], self.branch):
            for blob, wanted in zip(bottom, propagate_down, strict=True):
                if wanted:
                    blob.diff[...] = 0

    def _sigma(self) -> tuple[str, float]:
        return "smooth_l1_split_param", self.layer_param.smooth_l1_split_param.sigma
