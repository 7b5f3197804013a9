"""SmoothL1Loss."""

from __future__ import annotations

from caffe_compat.layers.fast_rcnn.robust_loss import RobustLoss
from caffe_compat.layers.registry import register


@register("SmoothL1Loss")
class SmoothL1Loss(RobustLoss):
    """Robust regression loss: sum of w_out * f(w_in * (bottom[0] - bottom[1])), over the number of rows.

    f(d) = 0.5 (sigma d)^2 where |d| < 1 / sigma^2, else |d| - 0.5 / sigma^2 (smooth_l1_loss_param.sigma).
    bottom[2] and bottom[3]: the inside weights w_in and outside weights w_out. bottom[2] alone: the loss weights w_in
    of the first Fast R-CNN; the gradient is then f'(w_in d), without the factor w_in, so right for weights of 0 and 1.
    All bottoms have as many rows and elements; top[0] is a scalar. Both predictions and targets take a gradient.
    top[1], if wanted: what each row costs, not divided, as of SmoothL1LossOHEM; no gradient is taken from it.
    loss_param.normalization, where it is given, says what the sum is divided by instead of the number of rows.
    Source: SmoothL1LossLayer of the Fast R-CNN fork of Caffe, with three bottoms of its first release, which SSD's
    Caffe has kept; loss_param and top[1] of R-FCN's first fork. Girshick, Fast R-CNN (2015), section 2.3.
    """

    reads = ("loss_param", "smooth_l1_loss_param")
    origin = "Fast R-CNN"
    bottom_count = (2, 4)
    no_gradient = (2, 3)

    def _sigma(self) -> tuple[str, float]:
        return "smooth_l1_loss_param", self.layer_param.smooth_l1_loss_param.sigma
