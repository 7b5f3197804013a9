"""Momentum and weight decay that change with the iterations, and learning rates of each param by norms.

Source: SGDSolver of NVIDIA's Caffe (GetMomentum, GetWeightDecay, GetLocalRate) and of Intel's (GetLocalRate,
ComputeUpdateValue); You and others, LARS (2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.solvers.warm_up import warm_up_rate

Fault = tuple[str, str]  # a message, and the field that it is about

_KNOWN = {
    "momentum_policy": ("fixed", "poly", "opt"),
    "weight_decay_policy": ("fixed", "poly"),
    "larc_policy": ("scale", "clip"),
}


def fault(param: SolverParameter, type: str) -> Fault | None:
    """What does not fit, of a solver of this type."""
    for name, known in _KNOWN.items():
        value = getattr(param, name)
        if value not in known:
            return f"unknown {name} '{value}'; known are {', '.join(known)}", name
        if value == "poly" and param.max_iter <= 0:
            return f"{name} 'poly' ends at max_iter; add max_iter", name
    if param.larc_turbo:
        return "larc_turbo is not done; larc alone is: remove larc_turbo", "larc_turbo"
    for name in ("larc", "local_lr_auto"):
        if getattr(param, name) and type != "SGD":
            return f"{name} is for solvers of type SGD, this is one of type {type}; remove it", name
    return None


def momentum(param: SolverParameter, iteration: int, rate: float) -> float:
    """SGD's momentum. rate: the learning rate of the iteration.

    In Intel's warm-up it grows as the rate does, by what the rate is over the one before; where that is 0, it does not.
    """
    if iteration < param.warmup_iter:
        before = warm_up_rate(param, iteration - 1)
        return param.momentum * (rate / before if before else 1)
    if param.momentum_policy == "poly":
        part = _part(iteration, param.max_iter, param.momentum_power)
        return param.momentum + (param.max_momentum - param.momentum) * part
    if param.momentum_policy == "opt":
        best = (1 - 0.5 * math.sqrt(max(rate, 0))) ** 2
        return min(param.max_momentum, best) if param.HasField("max_momentum") else best
    return param.momentum


def weight_decay(param: SolverParameter, iteration: int) -> float:
    """The weight decay of an iteration, before a param's own decay_mult."""
    if param.weight_decay_policy == "poly":
        part = _part(iteration, param.max_iter, param.weight_decay_power)
        return param.weight_decay + (param.max_weight_decay - param.weight_decay) * part
    return param.weight_decay


def _part(iteration: int, iterations: int, power: float) -> float:
    with np.errstate(all="ignore"):  # 0 to a power below 0 is infinite, as in C
        return float(np.float64(iteration / iterations) ** power)


def own_rate(
    param: SolverParameter, rate: float, lr_mult: float, norms: Callable[[], tuple[float, float]]
) -> float:
    """The learning rate of one param. norms: gives those of the param and of its gradient, without weight decay.

    With larc or local_lr_auto a multiplier other than 0 counts no further: the ratio of the norms takes its place.
    """
    if not (param.larc or param.local_lr_auto) or lr_mult == 0:
        return rate * lr_mult
    of_param, of_gradient = norms()
    ratio = 1.0
    if of_param > 0 and of_gradient > 0:
        if param.larc:
            ratio = (1 - param.momentum) * param.larc_eta * of_param / of_gradient
        else:
            ratio = param.local_gw_ratio * of_param / (of_gradient + param.weight_decay * of_param)
    return min(rate, ratio) if param.larc and param.larc_policy == "clip" else rate * ratio
