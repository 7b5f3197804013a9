"""GuidedDropout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng

TYPES = ("deterministic", "stochastic")


@register("GuidedDropout")
class GuidedDropout(Layer):
    """Whole channels of bottom[0] are 0, by how much bottom[1] says of each; what is kept makes up for them.

    bottom[0]: N x C x anything; bottom[1]: N x C, the guidance, which takes no gradient; top[0]: as bottom[0]. With
    guided_dropout_param.type "deterministic" a channel stays where its guidance is above guidance_threshold, in both
    phases, and an image's channels are times C over how many stay (if any does). With "stochastic" it stays, in
    training, with probability sigmoid(sigmoid_scaler guidance), and they are times C over the sum of these
    probabilities; in testing the top is the bottom. One draw of the global stream a channel of an image: the original
    draws for each element and writes beyond its memory, where there are more elements.
    Raises LayerError for another type and for shapes that do not fit.
    Source: GuidedDropoutLayer of Cysu's Caffe; Xiao et al., Learning Deep Feature Representations with Domain Guided
    Dropout (2016).
    """

    reads = ("guided_dropout_param",)
    origin = "Cysu"
    bottom_count = (2, 2)
    in_place = True
    no_gradient = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.guided_dropout_param
        if self.param.type not in TYPES:
            raise self.error(f"type is '{self.param.type}'; expected 'deterministic' or 'stochastic'")
        self.keeps_all = self.param.type == "stochastic" and self.phase != TRAIN

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if len(shapes[0]) < 2 or shapes[0][:2] != shapes[1][:2] or {*shapes[1][2:]} - {1}:
            raise self.error(f"the bottoms have the shapes {shapes}; expected N x C x ... and N x C")
        top[0].reshape(*shapes[0])
        self.channels = (*shapes[0][:2], *[1] * (len(shapes[0]) - 2))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.keeps_all:
            self.factor = bottom[0].dtype.type(1)
        else:
            self.factor = self._factor(bottom[1].data.reshape(bottom[0].shape[:2])).reshape(self.channels)
        np.multiply(bottom[0].data, self.factor, out=top[0].data)

    def _factor(self, guidance: np.ndarray) -> np.ndarray:
        if self.param.type == "deterministic":
            keep = guidance > self.param.guidance_threshold
            sums = keep.sum(axis=1, keepdims=True)
        else:
            likely = sigmoid(guidance * guidance.dtype.type(self.param.sigmoid_scaler))
            draws = np.empty(guidance.shape, np.float32)
            caffe_rng().uniform(0, 1, draws.reshape(-1))
            keep, sums = draws <= likely, likely.sum(axis=1, keepdims=True)
        scale = np.divide(guidance.shape[1], sums, out=np.ones(sums.shape, np.float64), where=sums > 0)
        return (keep * scale).astype(guidance.dtype)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, self.factor, out=bottom[0].diff)
