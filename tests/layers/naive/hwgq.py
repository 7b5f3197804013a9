"""HWGQ-Net's layers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from caffe_compat.rng import Rng
from layers.naive.filters import convolution, inner_product
from layers.naive.given import Given, like


def signed(given: Given, param) -> Given:
    weights, *bias = given.blobs
    if param.use_binarization:
        rows = [[1.0 if v >= 0 else -1.0 for v in row.flat] for row in weights]
        if param.use_alpha:
            rows = [
                [v * sum(map(abs, row.flat)) / row.size for v in ones]
                for row, ones in zip(weights, rows, strict=True)
            ]
        weights = like(rows, weights)
    return replace(given, blobs=[weights, *bias])


def quant(given: Given) -> list[np.ndarray]:
    param, (x,) = given.param.quant_param, given.bottom

    def value(v: float) -> float:
        if param.forward_func == "sign":
            return 1 if v >= 0 else -1
        if param.forward_func == "hard_tanh":
            return min(max(v, -1), 1)
        if param.forward_func == "relu":
            return v if v > 0 else param.negative_slope * v
        return min(param.centers, key=lambda c: abs(c - v)) if v > 0 else -param.negative_slope

    return [like([value(v) for v in x.flat], x)]


def quantized(given: Given, is_ternary: bool) -> Given:
    weights, *bias = given.blobs
    rows, flat = [list(row.flat) for row in weights], list(weights.flat)
    mean = sum(flat) / len(flat)
    limit = 0.7 * sum(abs(v - mean) for v in flat) / len(flat) if is_ternary else -1
    made, errors = [], []
    for row in rows:
        sizes = [abs(v) for v in row if abs(v) > limit]
        value = sum(sizes) / max(len(sizes), 1)
        made.append([math.copysign(value, v) if abs(v) > limit else 0.0 for v in row])
        errors.append(sum(abs(a - b) for a, b in zip(row, made[-1], strict=True)) / sum(map(abs, row)))
    param, kept, rng = given.param.stochastic_quantization_param, set(), Rng(given.seed)
    for _ in range(round((1 - param.ratio / 100) * len(rows)) if param.sq else 0):
        left = [i for i in range(len(rows)) if i not in kept]
        place = float(rng.number(0, 1)) * sum(errors[i] for i in left)
        for i in left:
            if place < errors[i]:
                kept.add(i)
                break
            place -= errors[i]
    rows = [row if i in kept else new for i, (row, new) in enumerate(zip(rows, made, strict=True))]
    return replace(given, blobs=[like(rows, weights), *bias])


NAIVE = {
    "StochasticBinaryConvolution": lambda given: convolution(quantized(given, False)),
    "StochasticBinaryInnerProduct": lambda given: inner_product(quantized(given, False)),
    "TernaryConvolution": lambda given: convolution(quantized(given, True)),
    "TernaryInnerProduct": lambda given: inner_product(quantized(given, True)),
    "BinaryConvolution": lambda given: convolution(signed(given, given.param.binary_convolution_param)),
    "BinaryInnerProduct": lambda given: inner_product(signed(given, given.param.binary_inner_product_param)),
    "Quant": quant,
}
