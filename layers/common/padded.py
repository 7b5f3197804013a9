"""What layers share that have a padding of its own on each side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def has_sides(layer_param: LayerParameter) -> bool:
    return layer_param.HasField("padding_sides_param")


class Padded(Layer):
    """What both do: the layer without padding, on a copy of the bottom that is padded."""

    plain_class: type[Layer] = Layer
    padding = 0.0  # the value of pixels outside

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        sides = self.layer_param.padding_sides_param
        if len(bottom[0].shape) != 4:
            raise self.error(f"the bottom has the shape {bottom[0].shape}; expected N x C x H x W")
        self.before, self.behind = (sides.top, sides.left), (sides.bottom, sides.right)
        self.padded = Blob(dtype=bottom[0].dtype)
        self._pad(bottom[0])
        self.plain = self.plain_class(self._plain_param(), self.phase, self.dtype)
        self.plain.blobs = self.blobs
        self.plain.setup([self.padded], top)

    def _plain_param(self) -> LayerParameter:
        """What the layer without padding is described by."""
        raise NotImplementedError

    def _pad(self, bottom: Blob) -> None:
        """Give the padded blob its shape."""
        around = zip(bottom.shape[2:], self.before, self.behind, strict=True)
        self.padded.reshape(*bottom.shape[:2], *(size + before + behind for size, before, behind in around))
        rows, columns = (
            slice(start, start + size) for start, size in zip(self.before, bottom.shape[2:], strict=True)
        )
        self.inside = np.s_[:, :, rows, columns]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._pad(bottom[0])
        self.plain.reshape([self.padded], top)

    def _fill(self, bottom: Blob) -> None:
        self.padded.data.fill(self.padding)
        self.padded.data[self.inside] = bottom.data

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._fill(bottom[0])
        self.plain.forward([self.padded], top)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        self._fill(bottom[0])
        self.plain.param_propagate_down = self.param_propagate_down
        self.plain.backward(top, propagate_down, [self.padded])
        if propagate_down[0]:
            bottom[0].diff[...] = self.padded.diff[self.inside]
