"""What the losses share that grow with how far numbers are beyond bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer


class BeyondLoss(LossLayer):
    """bottom[0] alone; top[0], a scalar, is half the squares of numbers' distances from -bound to bound."""

    bottom_count = (1, 1)
    no_gradient = ()
    origin = "daerduoCarey"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].count == 0:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}: there is nothing to take a loss of")
        top[0].reshape()


def beyond(values: np.ndarray, bound: float) -> np.ndarray:
    """How far each number is above `bound`, or, below 0, below `-bound`."""
    return values - np.clip(values, -bound, bound)
