"""What FlowNet2's losses share: targets that may be missing, which is NaN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight


class MissingLoss(LossLayer):
    """bottom[0] less bottom[1], or bottom[0] alone, N x C x H x W; top[0]: a scalar.

    A difference that is NaN counts as 0 and has no gradient. The sum is divided by N, or by how many are not NaN, over
    C, at least 1. Both bottoms take a gradient.
    """

    bottom_count = (1, 2)
    no_gradient = ()
    origin = "FlowNet2"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or bottom[-1].shape != shape or bottom[0].count == 0:
            raise self.error(
                f"the bottoms have the shapes {[blob.shape for blob in bottom]}; expected N x C x H x W, the same twice"
            )
        top[0].reshape()

    def difference(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray]:
        """The differences, 0 where they are missing, and where they are not."""
        values = bottom[0].data - bottom[1].data if len(bottom) > 1 else bottom[0].data
        known = ~np.isnan(values)
        return np.where(known, values, 0), known

    def divisor(self, known: np.ndarray, by_entries: bool) -> float:
        return max(known.sum() / known.shape[1], 1) if by_entries else len(known)

    def write_gradient(
        self,
        gradient: np.ndarray,
        top: Sequence[Blob],
        propagate_down: Sequence[bool],
        bottom: Sequence[Blob],
    ) -> None:
        """Write the gradient at the differences, times the loss's weight, into the bottoms' diffs."""
        for blob, wanted, sign in zip(bottom, propagate_down, (1, -1), strict=False):
            if wanted:
                np.multiply(gradient, self.dtype(sign * loss_weight(top)), out=blob.diff)

    def channel_scale(self, bottom: Sequence[Blob], prescale: bool) -> float:
        return 1 / bottom[0].channels if prescale else 1
