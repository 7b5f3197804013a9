"""Ristretto's layers, as they are in TEST: what is trimmed to fixed point, or to a float of few bits."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.ristretto.ristretto_bottom import RistrettoBottom
from caffe_compat.layers.ristretto.trim import LOWEST, FixedPoint, Minifloat, Trim, exponent_range, nearest
from caffe_compat.layers.ristretto.trimmed import Trimmed
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.filters import filtered, product
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.prototxt.caffe_pb2 import QuantizationParameter


@converts("ConvolutionRistretto")
def convolution_ristretto(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return _around(write, layer, bottoms, "Conv")


@converts("DeconvolutionRistretto")
def deconvolution_ristretto(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return _around(write, layer, bottoms, "ConvTranspose")


def _around(write: Operators, layer: Layer, bottoms: list[str], type: str) -> list[str]:
    assert isinstance(layer, Trimmed)
    taken = [_trimmed(write, layer, x, layer.trims.inputs) for x in bottoms]
    filters, *bias = _params(layer)
    tops = filtered(type, write, layer, taken, write.floats(filters), [write.floats(shift) for shift in bias])
    return [_trimmed(write, layer, top, layer.trims.outputs) for top in tops]


@converts("FcRistretto")
def fc_ristretto(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Trimmed)
    weights, *bias = _params(layer)
    taken = _trimmed(write, layer, bottoms[0], layer.trims.inputs)
    return [_trimmed(write, layer, product(write, layer, taken, weights, shifts=bias), layer.trims.outputs)]


@converts("RistrettoBottom")
def ristretto_bottom(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, RistrettoBottom)
    return [_trimmed(write, layer, bottoms[0], layer.trims.inputs)]


def _params(layer: Trimmed) -> list[np.ndarray]:
    params = [blob.data.copy() for blob in layer.blobs]
    for trim, array in zip((layer.trims.weights, layer.trims.bias), params, strict=False):
        trim(array, nearest)
    return params


def _trimmed(write: Operators, layer: Layer, x: str, trim: Trim) -> str:
    """A bottom or a top."""
    if layer.layer_param.quantization_param.rounding_scheme == QuantizationParameter.STOCHASTIC:
        raise layer.error(
            "cannot be exported to ONNX with rounding_scheme STOCHASTIC, which draws; use NEAREST"
        )
    if isinstance(trim, Minifloat):
        few = _minifloat(write, x, trim.mantissa_bits, trim.exponent_bits)
    else:
        assert isinstance(trim, FixedPoint)
        few = _fixed_point(write, x, trim.bits, trim.fraction)
    if x in write.axes:
        write.axes[few] = write.axes[x]
    return few


def _fixed_point(write: Operators, x: str, bits: int, fraction: int) -> str:
    step, half = 2.0**-fraction, 2.0 ** (bits - 1)
    inside = write("Clip", x, write.floats(-half * step), write.floats(np.float32(half - 1) * step))
    return write("Mul", write("Round", write("Div", inside, write.floats(step))), write.floats(step))


def _minifloat(write: Operators, x: str, mantissa_bits: int, exponent_bits: int) -> str:
    lowest, highest = exponent_range(exponent_bits)
    size, two = write("Abs", x), write.floats(2)
    # the power of 2 below the number: near it by logarithms, then the right one
    near = write("Floor", write("Div", write("Log", size), write.floats(np.log(2))))
    power = write("Pow", two, near)
    power = write("Where", write("Greater", power, size), write("Div", power, two), power)
    double = write("Mul", power, two)
    power = write("Where", write("LessOrEqual", double, size), double, power)
    step = write("Mul", power, write.floats(2.0**-mantissa_bits))
    units = write("Round", write("Div", write("Sub", size, power), step))
    few = write("Add", power, write("Mul", units, step))
    if exponent_bits < 8:
        largest = (2 - 2.0**-mantissa_bits) * 2.0**highest
        is_large = write("GreaterOrEqual", size, write.floats(2.0 ** (highest + 1)))
        few = write("Where", is_large, write.floats(largest), few)
    is_small = write("Less", size, write.floats(2.0 ** max(lowest, LOWEST)))
    return write("Mul", write("Where", is_small, write.floats(0), few), write("Sign", x))
