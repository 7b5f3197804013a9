"""AdaptiveBiasChannel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.registry import register
from caffe_compat.rng import Rng, caffe_rng


@register("AdaptiveBiasChannel")
class AdaptiveBiasChannel(Layer):
    """Raises the scores of the classes that are known to be there until each wins its part of the pixels.

    bottom[0]: scores, N x C x H x W; bottom[1]: N x L x 1 x 1 labels, -1 for none. top: like bottom[0]. Of an image
    with labels, after adaptive_bias_channel_param:
    - suppress_others: where a class that is not there has more than the least score of those that are, it gets that
      less margin_others.
    - num_iter times, for each class that is there, 0 first and the others in a random order: its channel is raised by
      so much that it reaches the largest score of the classes that are there in a part of the pixels, bg_portion for
      class 0, fg_portion for the others.
    - Last the scores are shifted so that the mean over the pixels of that largest score is what it was.
    Forward only. Raises LayerError for shapes or params that do not fit, and for a label that is no channel.

    Source: AdaptiveBiasChannelLayer of DeepLab's fork of Caffe, where the order is that of the C library's random
    numbers, and a portion of 1 reads behind the end: here it is the last pixel. Papandreou et al., Weakly- and
    Semi-Supervised Learning of a DCNN for Semantic Image Segmentation (2015).
    """

    reads = ("adaptive_bias_channel_param",)
    bottom_count = (2, 2)
    has_backward = False
    origin = "DeepLab"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.adaptive_bias_channel_param
        if param.num_iter < 1:
            raise self.error(f"num_iter is {param.num_iter}; it must be at least 1")
        check_repetitions(self, "num_iter", param.num_iter)
        if not param.margin_others >= 0:
            raise self.error(f"margin_others is {param.margin_others:g}; it must be at least 0")
        for name in ("bg_portion", "fg_portion"):
            if not 0 <= getattr(param, name) <= 1:
                raise self.error(f"{name} is {getattr(param, name):g}; it must be from 0 to 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, labels = bottom[0].shape, bottom[1].shape
        if len(shape) != 4 or len(labels) != 4 or labels != (shape[0], labels[1], 1, 1) or 0 in shape:
            raise self.error(
                f"the bottoms have the shapes {shape} and {labels}; expected N x C x H x W and N x L x 1 x 1"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data
        rng = Rng(caffe_rng().draw())
        for scores, labels in zip(top[0].data, bottom[1].data, strict=True):
            classes = self._classes(labels.ravel(), len(scores))
            if len(classes):
                self._raise(scores.reshape(len(scores), -1), classes, rng)

    def _classes(self, labels: np.ndarray, count: int) -> np.ndarray:
        labels = labels[(labels <= -2) | (labels > -1) | np.isnan(labels)]
        wrong = ~((labels > -1) & (labels < count))
        if wrong.any():
            raise self.error(f"label {labels[wrong][0]:g} is no class of a bottom with {count}; correct it")
        return np.sort(labels.astype(np.int64))

    def _raise(self, scores: np.ndarray, classes: np.ndarray, rng: Rng) -> None:
        param = self.layer_param.adaptive_bias_channel_param
        if param.suppress_others:
            least = scores[classes].min(axis=0)
            margin = scores.dtype.type(param.margin_others)
            others = np.setdiff1d(np.arange(len(scores)), classes)
            scores[others] = np.where(scores[others] > least, least - margin, scores[others])
        largest = scores[classes].max(axis=0)
        before = largest.mean(dtype=np.float64)
        movable = classes[int(classes[0] == 0) :]  # a view: the background stays first
        for _ in range(param.num_iter):
            rng.shuffle(movable)
            for label in classes:
                portion = param.bg_portion if label == 0 else param.fg_portion
                place = min(int(np.float32(portion) * np.float32(largest.size)), largest.size - 1)
                scores[label] += np.partition(largest - scores[label], place)[place]
                np.maximum(largest, scores[label], out=largest)
        scores += scores.dtype.type(before - largest.mean(dtype=np.float64))
