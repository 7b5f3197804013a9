"""PowerFile."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.list_file import read_numbers
from caffe_compat.layers.registry import register


@register("PowerFile")
class PowerFile(Layer):
    """Adds numbers of a file to each image (power_file_param).

    bottom and top: N x ..., of the shape of each other. shift_file: numbers, of which the first counts for the first
    element of each image, and so on; where there are less than elements the others count 0, and without a file all;
    a file that is not there is a warning. Raises LayerError where it cannot be read. Source: PowerFileLayer of
    daerduoCarey's Caffe, its GPU kernel: there is none for the CPU.
    """

    reads = ("power_file_param",)
    in_place = True
    origin = "daerduoCarey"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        path = self.layer_param.power_file_param.shift_file
        self.numbers: list[float] = []
        if path and not os.path.exists(path):
            warnings.warn(
                f"layer '{self.name}' ({self.type}): there is no file '{path}'; its numbers count 0, as in its Caffe",
                stacklevel=2,
            )
        elif path:
            self.numbers = read_numbers(self, path, bottom[0].count // max(bottom[0].num, 1))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.shift = np.zeros(bottom[0].shape[1:], self.dtype)
        numbers = self.numbers[: self.shift.size]
        self.shift.reshape(-1)[: len(numbers)] = numbers
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.add(bottom[0].data, self.shift, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff
