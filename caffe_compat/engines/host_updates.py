"""How solvers move params that are numpy arrays: with the kernels of layers/kernels/updates.py."""

from __future__ import annotations

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.kernels import updates as rules


class HostUpdates:
    """See Updates in engines/base.py. The arrays are float32 and flat."""

    def __init__(self) -> None:
        self.sgd, self.nesterov, self.adagrad = rules.sgd, rules.nesterov, rules.adagrad
        self.rmsprop, self.adadelta, self.adam = rules.rmsprop, rules.adadelta, rules.adam

    def zeros(self, blob: Blob) -> np.ndarray:
        return np.zeros(blob.count, np.float32)

    def from_host(self, array: np.ndarray, blob: Blob) -> np.ndarray:
        return array.reshape(-1)

    def to_host(self, array: np.ndarray) -> np.ndarray:
        return array

    def diff_and_data(self, blob: Blob) -> tuple[np.ndarray, np.ndarray]:
        return blob.diff.reshape(-1), blob.data.reshape(-1)

    def moved(self, blob: Blob, diff: np.ndarray, data: np.ndarray) -> None:
        """The arrays are the blob's own: there is nothing to do."""

    def sum_of_squares(self, blob: Blob) -> float:
        return _sum_of_squares(blob.diff)

    def sum_of_param_squares(self, blob: Blob) -> float:
        return _sum_of_squares(blob.data)


def _sum_of_squares(array: np.ndarray) -> float:
    flat = array.reshape(-1)
    return rules.sum_of_squares(flat, np.empty(-(-flat.size // rules.BLOCK)))
