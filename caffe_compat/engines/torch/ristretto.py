"""Ristretto's layers in TEST, where no number is drawn: all is trimmed, with a straight gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.filters import convolution, deconvolution, inner_product
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.base import TEST, Layer
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.ristretto.ristretto_bottom import RistrettoBottom
from caffe_compat.layers.ristretto.trim import (
    LOWEST,
    FixedPoint,
    Minifloat,
    PowerOf2,
    Trim,
    as_it_is,
    exponent_range,
)
from caffe_compat.layers.ristretto.trimmed import Trimmed
from caffe_compat.prototxt.caffe_pb2 import QuantizationParameter as Param


def _fits(layer: Layer) -> bool:
    param = layer.layer_param.quantization_param
    axes = len(layer.geometry.kernel) if isinstance(layer, Convolution) else 1
    return layer.phase == TEST and param.rounding_scheme == Param.NEAREST and 1 <= axes <= 3


@converts("ConvolutionRistretto", fits=_fits, own_memory=True)
def convolution_ristretto(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return _around(convolution, this, params, bottoms)


@converts("DeconvolutionRistretto", fits=_fits, own_memory=True)
def deconvolution_ristretto(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return _around(deconvolution, this, params, bottoms)


@converts("FcRistretto", fits=_fits, own_memory=True)
def fc_ristretto(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return _around(inner_product, this, params, bottoms)


@converts("RistrettoBottom", fits=_fits, own_memory=True)
def ristretto_bottom(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    assert isinstance(this.layer, RistrettoBottom)
    return [_straight(bottoms[0], this.layer.trims.inputs)]


def _around(
    compute: Callable[[TorchLayer, list[Tensor], list[Tensor]], list[Tensor]],
    this: TorchLayer,
    params: list[Tensor],
    bottoms: list[Tensor],
) -> list[Tensor]:
    assert isinstance(this.layer, Trimmed)
    trims = this.layer.trims
    few = [_straight(x, trim) for x, trim in zip(params, (trims.weights, trims.bias), strict=False)]
    tops = compute(this, few, [_straight(x, trims.inputs) for x in bottoms])
    return [_straight(top, trims.outputs) for top in tops]


def _straight(x: Tensor, trim: Trim) -> Tensor:
    """What is trimmed, with the gradient of x itself."""
    result: Tensor = _Straight.apply(x, trim)
    return result


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, trim):
        return _trimmed(x, trim)

    @staticmethod
    def backward(ctx, diff):
        return diff, None


def _trimmed(x: Tensor, trim: Trim) -> Tensor:
    if isinstance(trim, FixedPoint):
        return _fixed_point(x, trim.bits, trim.fraction)
    if isinstance(trim, Minifloat):
        return _minifloat(x, trim.mantissa_bits, trim.exponent_bits)
    if isinstance(trim, PowerOf2):
        return _power_of_2(x, trim.lowest, trim.highest)
    assert trim is as_it_is
    return x.clone()


def _fixed_point(x: Tensor, bits: int, fraction: int) -> Tensor:
    step, half = 2.0**-fraction, 2.0 ** (bits - 1)
    inside = x.nan_to_num(nan=torch.inf).clamp(-half * step, (half - 1) * step)
    return (inside / step).round() * step


def _minifloat(x: Tensor, mantissa_bits: int, exponent_bits: int) -> Tensor:
    lowest, highest = exponent_range(exponent_bits)
    size = x.abs().nan_to_num(nan=torch.inf)
    mantissas, exponents = torch.frexp(size)  # from 0.5 to 1
    units = ((2 * mantissas - 1) * 2.0**mantissa_bits).round()
    few = torch.ldexp(1 + units * 2.0**-mantissa_bits, exponents - 1)
    if exponent_bits < 8:
        largest = (2 - 2.0**-mantissa_bits) * 2.0**highest
        few = torch.where(size >= 2.0 ** (highest + 1), largest, few)
    else:
        few = torch.where(size.isinf(), size, few)
    return torch.where(size < 2.0 ** max(lowest, LOWEST), 0.0, few.copysign(x))


def _power_of_2(x: Tensor, lowest: int, highest: int) -> Tensor:
    exponents = x.abs().nan_to_num(nan=torch.inf).log2().round().clamp(lowest, highest)
    powers = torch.ldexp(torch.ones_like(x), exponents)
    return torch.where(x >= 0, powers, -powers)
