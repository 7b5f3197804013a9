"""Layers that do the same to every element, one element at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from caffe_compat.rng import Rng
from layers.naive.given import Given, like


def each(function: Callable[[float, LayerParameter], float]):
    """The layer whose top is function(element, the layer's param) for every element."""
    return lambda given: [
        like([function(v, given.param) for v in given.bottom[0].ravel().tolist()], given.bottom[0])
    ]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def exp(x: float, param: LayerParameter) -> float:
    p = param.exp_param
    return (math.e if p.base == -1 else p.base) ** (p.shift + p.scale * x)


def log(x: float, param: LayerParameter) -> float:
    p = param.log_param
    return math.log(p.shift + p.scale * x) / (1 if p.base == -1 else math.log(p.base))


def power(x: float, param: LayerParameter) -> float:
    p = param.power_param
    return (p.shift + p.scale * x) ** p.power


def dropout(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.dropout_param
    keep = 1 - param.dropout_ratio
    if given.phase == TEST and not param.sample_weights_test:
        return [x if param.scale_train else x * keep]
    draws = np.random.RandomState(given.seed).randint(0, 2**32, x.size, dtype=np.uint64).tolist()
    scale = 1 / keep if param.scale_train else 1
    kept = [v * scale if draw <= keep * (2**32 - 1) else 0 for v, draw in zip(x.flat, draws, strict=True)]
    return [like(kept, x)]


def selu(x: float, param: LayerParameter) -> float:
    p = param.selu_param
    return getattr(p, "lambda") * (x if x > 0 else p.alpha * (math.exp(x) - 1))


def kept(given: Given, count: int, ratio: float) -> list[bool]:
    """What each draw says: whether its element stays."""
    draws = np.random.RandomState(given.seed).randint(0, 2**32, count, dtype=np.uint64).tolist()
    return [draw <= (1 - ratio) * (2**32 - 1) for draw in draws]


def selu_dropout(given: Given) -> list[np.ndarray]:
    (x,), p = given.bottom, given.param.selu_dropout_param
    if given.phase == TEST:
        return [x]
    keep = 1 - p.dropout_ratio
    a = 1 / math.sqrt(keep + p.alpha**2 * keep * (1 - keep))
    b = -a * (1 - keep) * p.alpha
    stays = kept(given, x.size, p.dropout_ratio)
    return [like([a * (v if stay else p.alpha) + b for v, stay in zip(x.flat, stays, strict=True)], x)]


def guided_dropout(given: Given) -> list[np.ndarray]:
    (x, guidance), param = given.bottom, given.param.guided_dropout_param
    if param.type == "stochastic" and given.phase == TEST:
        return [x]
    top, rng = np.zeros(x.shape), Rng(given.seed)
    draws = np.empty(math.prod(x.shape[:2]), np.float32)
    rng.uniform(0, 1, draws)
    for n in range(len(x)):
        values = guidance[n].ravel()
        if param.type == "stochastic":
            chances = [1 / (1 + math.exp(-value * param.sigmoid_scaler)) for value in values]
            stay = [draws[n * len(values) + c] <= chance for c, chance in enumerate(chances)]
            total = sum(chances)
        else:
            stay = [value > param.guidance_threshold for value in values]
            total = sum(stay)
        for c, stays in enumerate(stay):
            top[n, c] = x[n, c] * len(values) / (total or len(values)) if stays else 0
    return [top]


def spatial_dropout(given: Given) -> list[np.ndarray]:
    (x,), ratio = given.bottom, given.param.dropout_param.dropout_ratio
    if given.phase == TEST:
        return [x]
    top = np.zeros(x.shape)
    for i, stay in enumerate(kept(given, x.shape[0] * x.shape[1], ratio)):
        n, c = divmod(i, x.shape[1])
        top[n, c] = x[n, c] / (1 - ratio) if stay else 0
    return [top]


def truncation(x: float, param: LayerParameter) -> float:
    p = param.truncation_param
    first = p.HasField("truncation_min") or p.HasField("truncation_max")
    low, high = (p.truncation_min, p.truncation_max) if first else (p.lower_bound, p.upper_bound)
    return min(max(x, low), high)


def prelu(given: Given) -> list[np.ndarray]:
    (x,), (slopes,) = given.bottom, given.blobs
    top = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        slope = slopes if given.param.prelu_param.channel_shared else slopes[at[1]]
        top[at] = x[at] if x[at] > 0 else slope * x[at]
    return [top]


def relu_mask(given: Given) -> list[np.ndarray]:
    (x,), slope = given.bottom, given.param.relu_param.negative_slope
    tops = [like([v if v > 0 else slope * v for v in x.ravel()], x), like([v > 0 for v in x.ravel()], x)]
    return tops[: given.tops]


def hard_swish(x: float, _: LayerParameter) -> float:
    return x * min(max(x + 3, 0), 6) / 6


def hard_sigmoid(x: float, param: LayerParameter) -> float:
    p = param.hard_sigmoid_param
    return min(max(p.alpha * x + p.beta, 0), 1)


def mish(x: float, _: LayerParameter) -> float:
    return x * math.tanh(math.log1p(math.exp(x)))


NAIVE = {
    "AbsVal": each(lambda x, _: abs(x)),
    "Cos": each(lambda x, _: math.cos(x)),
    "BNLL": each(lambda x, _: math.log(1 + math.exp(x))),
    "Clip": each(lambda x, param: min(max(x, param.clip_param.min), param.clip_param.max)),
    "BReLU": each(lambda x, param: min(max(x, param.brelu_param.minval), param.brelu_param.maxval)),
    "Dropout": dropout,
    "ELU": each(lambda x, param: x if x > 0 else param.elu_param.alpha * (math.exp(x) - 1)),
    "Exp": each(exp),
    "Log": each(log),
    "PReLU": prelu,
    "Power": each(power),
    "ReLU": each(lambda x, param: x if x > 0 else param.relu_param.negative_slope * x),
    "ReLUMask": relu_mask,
    "MinReLU": each(lambda x, _: min(x, 0)),
    "ReLU6": each(lambda x, param: min(x if x > 0 else param.relu6_param.negative_slope * x, 6)),
    "SeLu": each(selu),
    "SeLuDropout": selu_dropout,
    "GuidedDropout": guided_dropout,
    "SpatialDropout": spatial_dropout,
    "Sigmoid": each(lambda x, _: sigmoid(x)),
    "Swish": each(lambda x, param: x * sigmoid(param.swish_param.beta * x)),
    "TanH": each(lambda x, _: math.tanh(x)),
    "Truncation": each(truncation),
    "Threshold": each(lambda x, param: x > param.threshold_param.threshold),
    "HSwish": each(hard_swish),
    "HardSwish": each(hard_swish),
    "HardSigmoid": each(hard_sigmoid),
    "Mish": each(mish),
}
