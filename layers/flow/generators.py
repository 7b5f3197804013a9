"""FlowNet2's RandomGeneratorParameter: how one number is drawn."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.prototxt.caffe_pb2 import RandomGeneratorParameter
from caffe_compat.rng import caffe_rng

F = np.float32
KINDS = ("uniform", "gaussian", "bernoulli", "uniform_bernoulli", "gaussian_bernoulli")


def check_generator(layer: Layer, name: str, param: RandomGeneratorParameter) -> None:
    """Raise the layer's error for a generator that no number can be drawn from."""
    if param.rand_type not in KINDS:
        raise layer.error(f"{name} has the rand_type '{param.rand_type}'; there is {', '.join(KINDS)}")
    if not param.prob <= 1:
        raise layer.error(f"{name} has the prob {param.prob:g}; it must be at most 1")


def drawn(
    param: RandomGeneratorParameter,
    spread_by: np.float32,
    otherwise: float | None = None,
    kind: type = F,
) -> np.float32:
    """One number of a generator; `otherwise` where its bernoulli says no. spread_by: how much of spread counts. kind:
    bool for what is yes or no, which it becomes before it is rounded and multiplied.

    Source: caffe_rng_generate of lmb-freiburg/flownet2, its order of draws.
    """
    shape, _, chance = param.rand_type.partition("_")
    spread = F(param.spread) * (F(spread_by) if param.apply_schedule else F(1))
    if shape == "bernoulli":
        value = F(_happens(param.prob))
    elif chance and not _happens(param.prob):
        if otherwise is not None:
            return F(otherwise)
        value = _exponential(F(0), param.exp)
    else:
        value = _exponential(_around(shape, F(param.mean), spread), param.exp)
    value = F(kind(value))
    return F(param.multiplier) * F(c_round(value) if param.discretize else value)


def _exponential(value: np.float32, exp: bool) -> np.float32:
    with np.errstate(over="ignore"):
        return np.exp(value) if exp else value


def _happens(prob: float) -> bool:
    found = np.zeros(1, bool)
    if prob > 0:
        caffe_rng().bernoulli(F(prob), found)
    return bool(found[0])


def _around(shape: str, mean: np.float32, spread: np.float32) -> np.float32:
    if not spread > 0:
        return mean
    if shape == "uniform":
        return caffe_rng().number(mean - spread, mean + spread)
    found = np.empty(1, F)
    caffe_rng().gaussian(float(mean), float(spread), found)
    return F(found[0])
