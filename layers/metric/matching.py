"""Products of features with features that are kept from batch to batch: person search's online instance matching."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.prototxt.caffe_pb2 import FillerParameter


class Matching(Layer):
    """What both do: scores of each feature with each that is kept, and the gradient by those that forward had."""

    origin = "person search"
    bottom_count = (2, 2)
    no_gradient = (1,)
    backward_changes_params = True

    def _set_up(self, bottom: Sequence[Blob], kept: int, *others: tuple[int, ...]) -> None:
        self._numbers = math.prod(bottom[0].shape[1:])
        set_up_params(self, *((shape, FillerParameter()) for shape in ((kept, self._numbers), *others)))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        features, labels = bottom
        if not features.shape or math.prod(features.shape[1:]) != self._numbers:
            raise self.error(
                f"bottom[0] has the shape {features.shape}; expected features of {self._numbers} numbers, as those kept"
            )
        if labels.count != features.shape[0]:
            raise self.error(
                f"bottom[1] has the shape {labels.shape}; expected one label for each of {features.shape[0]} features"
            )
        top[0].reshape(features.shape[0], self.blobs[0].shape[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        gemm(self._rows(bottom[0].data), self.blobs[0].data, top[0].data, trans_b=True)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            gemm(top[0].diff, self.blobs[0].data, self._rows(bottom[0].diff))
        self._keep(self._rows(bottom[0].data), np.trunc(bottom[1].data.reshape(-1)))

    def _keep(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Put features into the params that are to move, after a backward pass. labels: whole numbers, or NaN."""
        raise NotImplementedError

    def _rows(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, self._numbers)
