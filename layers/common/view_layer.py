"""What layers have in common that only give their bottom another shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


class ViewLayer(Layer):
    """The top is a view of the bottom's data, as by Caffe's ShareData.

    The diffs are two, since a net may leave the bottom's out.

    Subclasses shape the top in `reshape`.
    """

    shares_data = True

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].share_data(bottom[0])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff, top[0].diff.reshape(bottom[0].shape))
