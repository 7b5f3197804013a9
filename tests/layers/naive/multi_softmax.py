"""Arroosh's softmax of many pixels."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.given import Given


def multi_softmax(given: Given) -> list[np.ndarray]:
    x = given.bottom[0]
    top = np.zeros(x.shape)
    for n, c, *place in np.ndindex(x.shape):
        line = [math.exp(v) for v in x[(n, slice(None), *place)]]
        top[(n, c, *place)] = given.param.mult_softmax_param.max_multiple * line[c] / sum(line)
    return [top]


def multi_softmax_loss(given: Given) -> list[np.ndarray]:
    (top,), labels = multi_softmax(given), given.bottom[1]
    loss, images = 0.0, len(top)
    for place, label in enumerate(labels.flat):
        n, pixel = divmod(place, labels.size // images)
        loss -= math.log(top[n, int(label) - 1].flat[pixel])
    return [np.array(loss / images), top]


NAIVE = {"MultiSoftmax": multi_softmax, "MultiSoftmaxLoss": multi_softmax_loss}
