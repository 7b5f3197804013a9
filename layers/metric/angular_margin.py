"""What the layers share that change only the score of each example's own class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import check_one_label_each, class_labels


class AngularMargin(Layer):
    """bottom[0]: scores, mostly cosines, N x classes (further axes are classes too); bottom[1]: N whole labels, where
    -1 is no class. top[0]: the scores, that of each example's own class changed; of its shape.

    Raises LayerError for a label that is no class, and for another number of labels.
    """

    bottom_count = (2, 2)
    no_gradient = (1,)

    def changed(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Own scores as they are to be, and the slopes of the change."""
        raise NotImplementedError

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.view = check_one_label_each(self, bottom)
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(top[0].data, bottom[0].data)
        self.own = own_classes(self, bottom)
        scores = top[0].data.reshape(self.view)
        scores[self.own], self.slopes = self.changed(scores[self.own])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.copyto(bottom[0].diff, top[0].diff)
            bottom[0].diff.reshape(self.view)[self.own] *= self.slopes


def own_classes(layer: Layer, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray]:
    """The examples that have a class, and which. Raises LayerError for a label that is neither a class nor -1."""
    labels = class_labels(layer, bottom[1], math.prod(bottom[0].shape[1:]), ignore=-1)
    examples = np.flatnonzero(labels >= 0)
    return examples, labels[examples]


def shifted_cosines(cosines: np.ndarray, m: float) -> tuple[np.ndarray, np.ndarray]:
    """cos(angle + m), and its slope by the cosine; from the angle pi - m on, a line of slope 1.

    Where the sine is 0, and for a cosine above 1, which counts as 1, the slope is 1.
    Source: CosinAddmLayer of xialuxi's Caffe; Deng et al., ArcFace (2019).
    """
    cosines = np.minimum(cosines, 1)
    sines = np.sqrt(np.maximum(1 - cosines * cosines, 0))
    on_line = cosines <= np.cos(np.pi - m)
    shifted = np.where(on_line, cosines - np.sin(np.pi - m) * m, cosines * np.cos(m) - sines * np.sin(m))
    flat = on_line | (sines == 0)
    slopes = np.where(flat, 1, np.cos(m) + np.sin(m) * cosines / np.where(flat, 1, sines))
    return shifted.astype(cosines.dtype), slopes.astype(cosines.dtype)
