"""Numbers trimmed to those that a few bits can say.

A Trim changes an array in place; its second argument rounds: `nearest`, of two as near to the even one, or `drawn`, up
or down by a random number, so that the mean is the number itself. NaN becomes a number, as in the original.

Source: Ristretto's GPU kernels (pmgysel/caffe); Gysel et al., Hardware-oriented Approximation of Convolutional Neural
Networks (2016).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.prototxt.caffe_pb2 import QuantizationParameter
from caffe_compat.rng import caffe_rng

Round = Callable[[np.ndarray], None]
Trim = Callable[[np.ndarray, Round], None]

# of float32: bits of a mantissa, of an exponent; the exponents of its normal numbers
MANTISSA, EXPONENT, BIAS = 23, 8, 127
LOWEST, HIGHEST = 1 - BIAS, BIAS


def nearest(x: np.ndarray) -> None:
    """Round in place; of two as near the even one."""
    np.rint(x, out=x)


def drawn(x: np.ndarray) -> None:
    """Add a number from 0 to 1, drawn from the net's, to each, and round down, in place."""
    up = np.empty(x.shape, np.float32)
    caffe_rng().uniform(0, 1, up)
    x += up
    np.floor(x, out=x)


@dataclass(frozen=True)
class FixedPoint:
    """Multiples of 2^-fraction that a whole number of so many bits, one of them the sign, can count."""

    bits: int
    fraction: int

    def __call__(self, x: np.ndarray, round_: Round) -> None:
        real, step, half = x.dtype.type, 2.0**-self.fraction, 2.0 ** (self.bits - 1)
        np.fmin(x, real(half - 1) * real(step), out=x)
        np.fmax(x, real(-half * step), out=x)
        x /= real(step)
        round_(x)
        x *= real(step)


def exponent_range(exponent_bits: int) -> tuple[int, int]:
    """The exponents that a minifloat has; none of them is kept for infinity."""
    bias = 2 ** (exponent_bits - 1) - 1 if exponent_bits else 0
    return -bias, 2**exponent_bits - 1 - bias


@dataclass(frozen=True)
class Minifloat:
    """Numbers of a sign, an exponent and a mantissa of so many bits: 0 below the least of them, the largest above.

    What is rounded up from the largest mantissa has the next exponent, one that is out of range too.
    """

    mantissa_bits: int
    exponent_bits: int

    def __call__(self, x: np.ndarray, round_: Round) -> None:
        lowest, highest = exponent_range(self.exponent_bits)
        single = np.array(x, np.float32)
        words = single.view(np.uint32)
        exponents = (words >> MANTISSA & 2**EXPONENT - 1).astype(np.int32) - BIAS
        mantissas = (words & 2**MANTISSA - 1) * 2.0 ** (self.mantissa_bits - MANTISSA)
        round_(mantissas)
        is_large = exponents > highest
        mantissas[is_large], exponents[is_large] = 2.0**self.mantissa_bits - 1, highest
        values = np.copysign(np.ldexp(1 + mantissas * 2.0**-self.mantissa_bits, exponents), single)
        values[exponents < max(lowest, LOWEST)] = 0
        with np.errstate(over="ignore"):
            x[...] = values


@dataclass(frozen=True)
class PowerOf2:
    """Powers of 2 whose exponent is rounded, from 2^lowest to 2^highest, with the sign; 0 becomes 2^lowest."""

    lowest: int
    highest: int

    def __call__(self, x: np.ndarray, round_: Round) -> None:
        with np.errstate(divide="ignore"):
            exponents = np.log2(np.abs(x).astype(np.float32))
        round_(exponents)
        exponents = np.fmax(np.fmin(exponents, self.highest), self.lowest).astype(np.int32)
        x[...] = np.where(x >= 0, 1, -1) * np.ldexp(1.0, exponents)


def as_it_is(x: np.ndarray, round_: Round) -> None:
    """Leave the numbers."""


@dataclass(frozen=True)
class Trims:
    """How a layer's quantization_param trims its weights, its bias, its inputs and its outputs; how it rounds them."""

    weights: Trim
    bias: Trim
    inputs: Trim
    outputs: Trim
    round: Round


def read_trims(layer: Layer) -> Trims:
    """Of a layer's quantization_param. Raises LayerError for bits that float32 has not."""
    param = layer.layer_param.quantization_param
    round_ = drawn if param.rounding_scheme == QuantizationParameter.STOCHASTIC else nearest
    if param.precision == QuantizationParameter.MINIFLOAT:
        floats = _minifloat(layer)
        return Trims(floats, floats, floats, floats, round_)
    inputs, outputs = _fixed_point(layer, "layer_in"), _fixed_point(layer, "layer_out")
    if param.precision == QuantizationParameter.INTEGER_POWER_OF_2_WEIGHTS:
        return Trims(_power_of_2(layer), as_it_is, inputs, outputs, round_)
    params = _fixed_point(layer, "params")
    return Trims(params, params, inputs, outputs, round_)


def _fixed_point(layer: Layer, what: str) -> Trim:
    param = layer.layer_param.quantization_param
    bits, fraction = getattr(param, f"bw_{what}"), getattr(param, f"fl_{what}")
    if not 1 <= bits <= 32:
        raise layer.error(f"bw_{what} is {bits}; expected 1 to 32 bits")
    if not LOWEST <= -fraction <= bits - 1 - fraction <= HIGHEST:
        raise layer.error(f"fl_{what} is {fraction}; float32 has no such numbers of {bits} bits")
    return FixedPoint(bits, fraction)


def _minifloat(layer: Layer) -> Trim:
    param = layer.layer_param.quantization_param
    if param.mant_bits > MANTISSA or param.exp_bits > EXPONENT:
        raise layer.error(
            f"mant_bits is {param.mant_bits} and exp_bits {param.exp_bits}; expected at most {MANTISSA} and {EXPONENT}"
        )
    return Minifloat(param.mant_bits, param.exp_bits)


def _power_of_2(layer: Layer) -> Trim:
    param = layer.layer_param.quantization_param
    if not LOWEST <= param.exp_min <= param.exp_max <= HIGHEST:
        raise layer.error(
            f"exp_min is {param.exp_min} and exp_max {param.exp_max}; expected {LOWEST} to {HIGHEST}, the lower one "
            "first"
        )
    return PowerOf2(param.exp_min, param.exp_max)
