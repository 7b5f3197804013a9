"""What Ristretto's layers do around a layer that multiplies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TEST, Layer
from caffe_compat.layers.ristretto.trim import Trim, drawn, read_trims


class Trimmed(Layer):
    """Computes with params, and in TEST with inputs and outputs, trimmed to what a few bits can say.

    The params keep their own numbers, and get the gradient of what they are trimmed to, as if they were that. In TRAIN
    they are rounded at random, whatever rounding_scheme says.
    """

    origin = "Ristretto"
    trimmed: list[np.ndarray]  # the params of the last forward
    inputs: dict[int, np.ndarray]  # in TEST: those of the last forward, by the id of their bottom

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.trims = read_trims(self)
        super().setup(bottom, top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        tests = self.phase == TEST
        self.inputs = {id(blob): self._copy(self.trims.inputs, blob) for blob in bottom} if tests else {}
        kinds = self.trims.weights, self.trims.bias
        self.trimmed = [self._copy(trim, blob) for trim, blob in zip(kinds, self.blobs, strict=False)]
        super().forward(bottom, top)
        for blob in top if tests else ():
            self.trims.outputs(blob.data, self.trims.round)

    def _copy(self, trim: Trim, blob: Blob) -> np.ndarray:
        array = blob.data.copy()
        trim(array, self.trims.round if self.phase == TEST else drawn)
        return array

    def _filters(self) -> np.ndarray:
        return self.trimmed[0]

    def _weights(self) -> np.ndarray:
        return self.trimmed[0]

    def _bias(self) -> np.ndarray | None:
        return self.trimmed[1] if len(self.trimmed) > 1 else None

    def _numbers(self, bottom: Blob) -> np.ndarray:
        return self.inputs.get(id(bottom), bottom.data) if self.phase == TEST else bottom.data
