"""MIL of rows, such as the contexts of a RoI."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.mil.mil import LOWEST
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def is_of_rows(layer_param: LayerParameter) -> bool:
    """Whether a layer of type MIL says how many rows a bag has."""
    param = layer_param.mil_param
    return param.HasField("context_per_roi") or param.HasField("instances_per_bag")


@register_form("MILOfRows", of="MIL", describes=is_of_rows)
class MILOfRows(Layer):
    """The greatest number of each column, of as many rows as mil_param.context_per_roi, or instances_per_bag, says.

    bottom: N x C; top: N / rows x C x 1 x 1, rows behind the last whole bag left out. The greatest is the lowest finite
    float32 at least, and never NaN; equal ones all take the gradient. Raises LayerError for other shapes, for both
    fields, and for 0 rows a bag.

    Source: MILLayer of the Caffe of R*CNN (gkioxari), with context_per_roi, and of caffe-action (skylian), with
    instances_per_bag; Gkioxari et al., Contextual Action Recognition with R*CNN (2015), equation 2.
    """

    reads = ("mil_param",)
    refused = {"mil_param.type": "it is for maps of pixels"}
    backward_reads_top = True
    origin = "R*CNN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mil_param
        self.rows = param.context_per_roi or param.instances_per_bag
        if not self.rows or (param.context_per_roi and param.instances_per_bag):
            raise self.error(
                f"context_per_roi is {param.context_per_roi}, instances_per_bag {param.instances_per_bag}; one of them "
                "has to be at least 1"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2 or any(dim != 1 for dim in shape[2:]):
            raise self.error(f"the bottom has the shape {shape}; expected N x C")
        self.view = (shape[0] // self.rows, self.rows, shape[1])
        top[0].reshape(self.view[0], shape[1], 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bags, _, channels = self.view
        greatest = top[0].data.reshape(bags, channels)
        np.fmax.reduce(self._bags(bottom[0].data), axis=1, out=greatest, initial=LOWEST)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            y, seed = (array.reshape(self.view[0], 1, self.view[2]) for array in (top[0].data, top[0].diff))
            np.multiply(seed, self._bags(bottom[0].data) == y, out=self._bags(bottom[0].diff))

    def _bags(self, rows: np.ndarray) -> np.ndarray:
        """Of N x C, bags x rows x C."""
        bags, each, channels = self.view
        return rows.reshape(-1, channels)[: bags * each].reshape(self.view)
