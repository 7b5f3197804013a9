"""HWGQ-Net's layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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


NAIVE = {
    "BinaryConvolution": lambda given: convolution(signed(given, given.param.binary_convolution_param)),
    "BinaryInnerProduct": lambda given: inner_product(signed(given, given.param.binary_inner_product_param)),
    "Quant": quant,
}
