"""Activations of mobile nets and of YOLOv4."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.given import Given, taken


def hard_swish(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [taken(x.shape, lambda at: x[at] * min(max(x[at] + 3, 0), 6) / 6)]


def hard_sigmoid(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.hard_sigmoid_param
    return [taken(x.shape, lambda at: min(max(param.alpha * x[at] + param.beta, 0), 1))]


def mish(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    return [taken(x.shape, lambda at: x[at] * math.tanh(math.log1p(math.exp(x[at]))))]


NAIVE = {"HSwish": hard_swish, "HardSigmoid": hard_sigmoid, "HardSwish": hard_swish, "Mish": mish}
