"""MaskOutputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import ConvolutionParameter


@register("MaskOutputs")
class MaskOutputs(Layer):
    """Of each row those numbers that belong to its class: convolution_param.kernel_size of them.

    bottom[0]: N x C rows, kernel_size numbers for each class; bottom[1]: N classes, counted from 0. top[0]: N x
    kernel_size. Raises LayerError for a class that the row has no numbers of, and shapes that do not fit.
    Source: MaskOutputsLayer of shubhtuls/caffePose.
    """

    reads = ("convolution_param",)
    origin = "caffePose"
    bottom_count = (2, 2)
    no_gradient = (1,)
    without_effect = tuple(
        f"convolution_param.{field.name}"
        for field in ConvolutionParameter.DESCRIPTOR.fields
        if field.name != "kernel_size"
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        sizes = self.layer_param.convolution_param.kernel_size
        if len(sizes) != 1 or sizes[0] < 1:
            raise self.error(f"kernel_size is {list(sizes)}; give one, the numbers of a class")
        self.size = int(sizes[0])

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2 or math.prod(shape[2:]) != 1 or bottom[1].count != shape[0]:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x C and N classes"
            )
        top[0].reshape(shape[0], self.size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = np.take_along_axis(self._rows(bottom[0].data), self._places(bottom), axis=1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            np.put_along_axis(self._rows(bottom[0].diff), self._places(bottom), top[0].diff, axis=1)

    def _rows(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(array.shape[:2])

    def _places(self, bottom: Sequence[Blob]) -> np.ndarray:
        """N x kernel_size: where the numbers of each row stand."""
        classes = bottom[1].data.ravel()
        count = bottom[0].shape[1] // self.size
        wrong = ~((classes > -1) & (classes < count))
        if wrong.any():
            row = int(wrong.argmax())
            raise self.error(
                f"row {row} is of class {classes[row]:g}; bottom[0] has numbers of {count} classes"
            )
        return classes.astype(np.int64)[:, None] * self.size + np.arange(self.size)
