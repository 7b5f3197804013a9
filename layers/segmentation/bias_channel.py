"""BiasChannel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import BiasChannelParameter


@register("BiasChannel")
class BiasChannel(Layer):
    """Raises the scores of the classes that are known to be there (bias_channel_param).

    bottom[0]: scores, N x C x H x W; bottom[1]: labels, which take no gradient; top: like bottom[0].
    - label_type IMAGE: N x L x 1 x 1 labels, as UniqueLabel gives them. A label's whole channel is raised by fg_bias,
      that of label 0 by bg_bias; a label that is there twice raises twice.
    - label_type PIXEL: N x 1 x H x W labels. Each pixel's own class is raised by fg_bias. With a background_label or
      bg_bias given, the background's is raised by bg_bias at every pixel, and by that alone where it is the label.
    Labels -1, and those that are an ignore_label, do nothing. The gradient passes as it is. Raises LayerError for
    shapes that do not fit, for a bias below 0, and for a label that is no channel.

    Source: BiasChannelLayer of DeepLab's fork of Caffe.
    """

    reads = ("bias_channel_param",)
    bottom_count = (2, 2)
    no_gradient = (1,)
    origin = "DeepLab"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.bias_channel_param
        for name in ("bg_bias", "fg_bias"):
            if not getattr(param, name) >= 0:
                raise self.error(f"{name} is {getattr(param, name):g}; it must be at least 0")
        self.by_pixel = param.label_type == BiasChannelParameter.PIXEL
        with_background = param.HasField("background_label") or param.HasField("bg_bias")
        self.background = param.background_label if self.by_pixel and with_background else None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, labels = bottom[0].shape, bottom[1].shape
        fits = len(shape) == len(labels) == 4 and shape[0] == labels[0]
        if not fits or labels[1:] != ((1, *shape[2:]) if self.by_pixel else (labels[1], 1, 1)):
            expected = "N x 1 x H x W" if self.by_pixel else "N x L x 1 x 1"
            raise self.error(
                f"the bottoms have the shapes {shape} and {labels}; expected N x C x H x W and {expected}"
            )
        if self.background is not None and not 0 <= self.background < shape[1]:
            raise self.error(
                f"background_label is {self.background}; the bottom {shape} has {shape[1]} classes"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.bias_channel_param
        shape = top[0].shape
        scores = top[0].data.reshape(*shape[:2], math.prod(shape[2:]))
        scores[...] = bottom[0].data.reshape(scores.shape)
        found = self._labels(bottom[1].data, shape[1])
        labels = found.reshape(shape[0], math.prod(found.shape[1:]))
        images, places = np.nonzero(labels >= 0)
        classes = labels[images, places]
        if not self.by_pixel:
            biases = np.where(classes == 0, param.bg_bias, param.fg_bias).astype(scores.dtype)
            np.add.at(scores, (images, classes), biases[:, None])
            return
        if self.background is not None:
            scores[images, self.background, places] += scores.dtype.type(param.bg_bias)
            images, classes, places = (part[classes != self.background] for part in (images, classes, places))
        scores[images, classes, places] += scores.dtype.type(param.fg_bias)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff

    def _labels(self, values: np.ndarray, classes: int) -> np.ndarray:
        """The labels as whole numbers, those that do nothing as -1."""
        with np.errstate(invalid="ignore"):  # NaN turns into some integer, and is found below
            labels = values.astype(np.int64)
        ignored = np.isin(labels, [-1, *self.layer_param.bias_channel_param.ignore_label])
        wrong = ~(ignored | ((values > -1) & (values < classes)))
        if wrong.any():
            raise self.error(
                f"label {values[wrong][0]:g} is no class of a bottom with {classes}; correct it, or ignore_label"
            )
        return np.where(ignored, -1, labels)
