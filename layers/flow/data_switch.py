"""DataSwitch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("DataSwitch")
class DataSwitch(Layer):
    """Passes on one of its bottoms, each with the same chance, in every forward anew.

    bottoms: of one shape; top: of that shape. One number is drawn from Caffe's stream in each forward, in both phases.
    Nothing takes a gradient. Raises LayerError for shapes that differ.
    Source: DataSwitchLayer of leonzfa/iResNet, which is GPU code.
    """

    reads = ()
    origin = "iResNet"
    bottom_count = (1, None)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.no_gradient = tuple(range(len(bottom)))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if len(set(shapes)) > 1:
            raise self.error(f"the bottoms have the shapes {shapes}; expected the same")
        top[0].reshape(*shapes[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        share = np.float32(caffe_rng().draw()) / np.float32(2**31) % np.float32(1)
        ends = np.arange(1, len(bottom) + 1, dtype=np.float32) / np.float32(len(bottom))
        np.copyto(top[0].data, bottom[int(np.argmax(share <= ends))].data)
