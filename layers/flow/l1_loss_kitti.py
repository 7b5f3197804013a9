"""L1LossKitti."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.flow.flow_l1_loss import FlowL1Loss
from caffe_compat.layers.registry import register


@register("L1LossKitti")
class L1LossKitti(FlowL1Loss):
    """FlowNet2's L1Loss of disparities, in which targets below 1, whatever their sign, are missing.

    bottoms: predictions and targets, N x C x H x W; all else is as there. Raises LayerError for shapes that differ.
    Source: L1LossKittiLayer of SVS (lawy623), its GPU kernels.
    """

    bottom_count = (2, 2)
    origin = "SVS"

    def difference(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray]:
        """The differences, 0 where the target is missing, and where it is not."""
        known = np.abs(bottom[1].data) >= 1
        return np.where(known, bottom[0].data - bottom[1].data, 0), known
