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
from caffe_compat.layers.ristretto.trim import LOWEST, exponent_range
from caffe_compat.prototxt.caffe_pb2 import QuantizationParameter as Param

Trim = Callable[[Tensor], Tensor]


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
    return [_straight(bottoms[0], _of(this.layer, "layer_in"))]


def _around(
    compute: Callable[[TorchLayer, list[Tensor], list[Tensor]], list[Tensor]],
    this: TorchLayer,
    params: list[Tensor],
    bottoms: list[Tensor],
) -> list[Tensor]:
    kinds = _of(this.layer, "params"), _of(this.layer, "bias")
    few = [_straight(x, trim) for x, trim in zip(params, kinds, strict=False)]
    tops = compute(this, few, [_straight(x, _of(this.layer, "layer_in")) for x in bottoms])
    return [_straight(top, _of(this.layer, "layer_out")) for top in tops]


def _straight(x: Tensor, trim: Trim) -> Tensor:
    """What is trimmed, with the gradient of x itself."""
    result: Tensor = _Straight.apply(x, trim)
    return result


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, trim):
        return trim(x)

    @staticmethod
    def backward(ctx, diff):
        return diff, None


def _of(layer: Layer, what: str) -> Trim:
    """How the layer trims its params, its bias, layer_in or layer_out."""
    param = layer.layer_param.quantization_param
    if param.precision == Param.MINIFLOAT:
        return lambda x: _minifloat(x, param.mant_bits, param.exp_bits)
    if param.precision == Param.INTEGER_POWER_OF_2_WEIGHTS and what == "bias":
        return torch.clone
    if param.precision == Param.INTEGER_POWER_OF_2_WEIGHTS and what == "params":
        return lambda x: _power_of_2(x, param.exp_min, param.exp_max)
    what = "params" if what == "bias" else what
    bits, fraction = getattr(param, f"bw_{what}"), getattr(param, f"fl_{what}")
    return lambda x: _fixed_point(x, bits, fraction)


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
