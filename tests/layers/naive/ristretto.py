"""Ristretto's layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.prototxt.caffe_pb2 import QuantizationParameter as Param
from caffe_compat.rng import Rng
from layers.naive.filters import convolution, deconvolution, inner_product
from layers.naive.given import Given, like

Rounding = Callable[[float], int]


def to_even(v: float) -> int:
    low = math.floor(v)
    if v - low == 0.5:
        return low + low % 2
    return math.floor(v + 0.5)


def by(draws: Iterable[float]) -> Rounding:
    left = iter(draws)
    return lambda v: math.floor(np.float32(v) + np.float32(next(left)))


def fixed(v: float, bits: int, fraction: int, rounded: Rounding) -> float:
    units = min(max(v * 2.0**fraction, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)
    return rounded(units) / 2.0**fraction


def minifloat(v: float, mant_bits: int, exp_bits: int, rounded: Rounding = to_even) -> float:
    """By what the number is worth, not by its bits."""
    v = float(np.float32(v))
    size, bias = abs(v), 2 ** (exp_bits - 1) - 1
    exponent = math.frexp(size)[1] - 1
    part = rounded((size / 2.0**exponent - 1) * 2**mant_bits)
    if size < max(2.0**-bias, 2.0**-126):
        return 0.0
    if exponent > 2**exp_bits - 1 - bias:
        exponent, part = 2**exp_bits - 1 - bias, 2**mant_bits - 1
    return math.copysign((1 + part / 2**mant_bits) * 2.0**exponent, v)


def power(v: float, low: int, high: int, rounded: Rounding) -> float:
    exponent = rounded(float(np.log2(np.float32(abs(v)))))
    return (1 if v >= 0 else -1) * 2.0 ** min(max(exponent, low), high)


def trimmed(given: Given, x: np.ndarray, what: str, drawn: bool, rng: Rng) -> np.ndarray:
    param = given.param.quantization_param
    if param.precision == Param.INTEGER_POWER_OF_2_WEIGHTS and what == "bias":
        return x
    rounded: Rounding = to_even
    if drawn:
        draws = np.empty(x.size, np.float32)
        rng.uniform(0, 1, draws)
        rounded = by(draws)
    if param.precision == Param.MINIFLOAT:
        return like([minifloat(v, param.mant_bits, param.exp_bits, rounded) for v in x.flat], x)
    if param.precision == Param.INTEGER_POWER_OF_2_WEIGHTS and what == "params":
        return like([power(v, param.exp_min, param.exp_max, rounded) for v in x.flat], x)
    what = "params" if what == "bias" else what
    bits, fraction = getattr(param, f"bw_{what}"), getattr(param, f"fl_{what}")
    return like([fixed(v, bits, fraction, rounded) for v in x.flat], x)


def around(layer: Callable[[Given], list[np.ndarray]]) -> Callable[[Given], list[np.ndarray]]:
    """The layer on what is trimmed."""

    def compute(given: Given) -> list[np.ndarray]:
        rng, tests = Rng(given.seed), given.phase == TEST
        drawn = not tests or given.param.quantization_param.rounding_scheme == Param.STOCHASTIC
        bottom = given.bottom
        if tests:
            bottom = [trimmed(given, x, "layer_in", drawn, rng) for x in bottom]
        blobs = [
            trimmed(given, x, what, drawn, rng)
            for x, what in zip(given.blobs, ("params", "bias"), strict=False)
        ]
        tops = layer(replace(given, bottom=bottom, blobs=blobs))
        return [trimmed(given, top, "layer_out", drawn, rng) for top in tops] if tests else tops

    return compute


def ristretto_bottom(given: Given) -> list[np.ndarray]:
    drawn = given.param.quantization_param.rounding_scheme == Param.STOCHASTIC
    return [trimmed(given, given.bottom[0], "layer_in", drawn, Rng(given.seed))]


def lrn(given: Given) -> list[np.ndarray]:
    param, bits, (x,) = given.param.lrn_param, given.param.quantization_param, given.bottom
    assert bits.precision == Param.MINIFLOAT

    def few(v: float) -> float:
        return minifloat(v, bits.mant_bits, bits.exp_bits)

    top, after = np.zeros(x.shape), (param.local_size - 1) // 2
    for n, h, w in np.ndindex(x.shape[0], *x.shape[2:]):
        line = [few(v) for v in x[n, :, h, w]]
        squares, total = [few(v * v) for v in line], 0.0
        for head in range(len(line) + after):
            if head < len(line):
                total = few(total + squares[head])
            if head >= param.local_size:
                total = few(total - squares[head - param.local_size])
            if head >= after:
                scale = few(param.k + few(total * param.alpha / param.local_size))
                top[n, head - after, h, w] = few(line[head - after] * few(scale**-param.beta))
    return [top]


NAIVE = {
    "ConvolutionRistretto": around(convolution),
    "DeconvolutionRistretto": around(deconvolution),
    "FcRistretto": around(inner_product),
    "RistrettoBottom": ristretto_bottom,
    "LRNRistretto": lrn,
}
