"""Data that the user hands over as arrays."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.transformer import DataTransformer
from caffe_compat.layers.registry import register


@register("MemoryData")
class MemoryData(Layer):
    """Serves the arrays that `reset` (or Net.set_input_arrays) gives, a batch a forward, in a circle.

    top[0]: data, batch_size x channels x height x width as memory_data_param says; top[1]: labels, batch_size
    (after a forward batch_size x 1 x 1 x 1, as in Caffe). Without arrays the tops keep what was written, as an Input
    layer's do; Caffe stops. Raises LayerError for dims that are missing or 0, and for arrays that do not fit.
    Source: Caffe's MemoryDataLayer.
    """

    reads = ("transform_param", "memory_data_param")
    refused = {
        "memory_data_param.dim": "it is naibaf7's, of a layer with one top; give each top a layer of its own"
    }
    bottom_count = (0, 0)
    top_count = (2, 2)
    has_backward = False
    without_effect = ("transform_param",)  # `reset` warns

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.memory_data_param
        self.shape = param.batch_size, param.channels, param.height, param.width
        if min(self.shape) == 0:
            raise self.error(
                f"memory_data_param gives the dims {self.shape}; "
                "batch_size, channels, height and width must all be given, and positive"
            )
        DataTransformer(self)  # checks the params, and takes the random number that Caffe takes
        self.data: np.ndarray | None = None
        self.position = 0
        top[0].reshape(*self.shape)
        top[1].reshape(self.shape[0])

    def reset(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Serve these arrays from now on, from their beginning: n x channels x height x width, and n labels.

        n is a multiple of batch_size. The arrays are not copied and not transformed (a warning says so where
        there is a transform_param).
        """
        data, labels = np.asarray(data), np.asarray(labels)
        if data.shape[1:] != self.shape[1:] or len(data) == 0 or len(data) % self.shape[0]:
            raise self.error(
                f"the data array has the shape {data.shape}; expected n x {' x '.join(map(str, self.shape[1:]))} "
                f"with n a multiple of the batch size {self.shape[0]}"
            )
        if labels.shape not in ((len(data),), (len(data), 1, 1, 1)):
            raise self.error(f"the labels array has the shape {labels.shape} for {len(data)} images")
        if self.layer_param.HasField("transform_param"):
            warnings.warn(
                f"layer '{self.name}' (MemoryData): arrays are not transformed; transform_param has no effect",
                stacklevel=3,
            )
        self.data, self.labels, self.position = data, labels.reshape(-1, 1, 1, 1), 0

    def get_state(self) -> dict[str, np.ndarray]:
        return {} if self.data is None else {"position": np.array(self.position)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        if self.data is None or int(state["position"]) >= len(self.data):
            raise self.error("the data to go on with is not there; give the same arrays before the state")
        self.position = int(state["position"])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.data is None:
            return
        batch = slice(self.position, self.position + self.shape[0])
        top[1].reshape(self.shape[0], 1, 1, 1)
        top[0].data[...], top[1].data[...] = self.data[batch], self.labels[batch]
        self.position = batch.stop % len(self.data)
