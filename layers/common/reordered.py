"""What layers have in common that only give their bottom's axes another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


class Reordered(Layer):
    """Axis i of the top is axis order[i] of the bottom. Subclasses say the order, of all axes."""

    def order_of(self, shape: tuple[int, ...]) -> list[int]:
        """For a bottom of this shape. Raises LayerError where the params do not fit."""
        raise NotImplementedError

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.order = self.order_of(bottom[0].shape)
        top[0].reshape(*[bottom[0].shape[axis] for axis in self.order])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(top[0].data, bottom[0].data.transpose(self.order))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff.transpose(self.order), top[0].diff)
