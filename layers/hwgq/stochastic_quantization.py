"""Weights of two or three values an output, and which outputs keep their own for an iteration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.rng import caffe_rng

NEAR = 0.7  # of the mean distance from the mean of all weights: what lies nearer to 0 is 0


def binary(weights: np.ndarray) -> np.ndarray:
    """The weights' signs (of 0: 1), times the mean absolute weight of their output. weights: outputs first.

    Source: Rastegari et al., XNOR-Net (2016), section 3.1.
    """
    rows = weights.reshape(len(weights), -1)
    signs = np.where(rows >= 0, weights.dtype.type(1), weights.dtype.type(-1))
    return (signs * np.abs(rows).mean(axis=1, keepdims=True)).reshape(weights.shape)


def ternary(weights: np.ndarray) -> np.ndarray:
    """0 for weights near 0, of others the sign times the mean absolute one of their output that is not 0.

    Source: Li and Liu, Ternary Weight Networks (2016), with a threshold for all outputs as Stochastic-Quantization has.
    """
    rows = weights.reshape(len(weights), -1)
    large = np.abs(rows) > NEAR * np.abs(rows - rows.mean()).mean()
    means = (np.abs(rows) * large).sum(axis=1) / np.maximum(large.sum(axis=1), 1)
    return (np.sign(rows) * large * means[:, None]).astype(weights.dtype).reshape(weights.shape)


def keep_some(layer: Layer, weights: np.ndarray, quantized: np.ndarray) -> np.ndarray:
    """The quantized weights, with stochastic_quantization_param's sq those of `ratio` per cent of the outputs only.

    Outputs that keep their weights are drawn one after the other, from the net's random numbers: each with the
    probability of its error, the absolute changes over the absolute weights.
    Source: Dong et al., Learning Accurate Low-Bit Deep Neural Networks with Stochastic Quantization (2017).
    """
    param = layer.layer_param.stochastic_quantization_param
    if not param.sq or param.ratio >= 100:
        return quantized
    rows, changed = (array.reshape(len(array), -1) for array in (weights, quantized))
    sizes = np.abs(rows).sum(axis=1)
    errors = np.divide(np.abs(rows - changed).sum(axis=1), sizes, out=np.zeros_like(sizes), where=sizes > 0)
    total, changes = np.cumsum(errors, dtype=np.float32)[-1], np.ones(len(rows), bool)
    for _ in range(int((np.float32(1) - np.float32(param.ratio) / np.float32(100)) * np.float32(len(rows)))):
        place = caffe_rng().number(0, 1) * total
        ends = np.cumsum(np.where(changes, errors, 0), dtype=np.float32)
        found = np.flatnonzero(changes & (place < ends))
        if found.size:
            changes[found[0]] = False
            total -= errors[found[0]]
    return np.where(changes.reshape(-1, *[1] * (weights.ndim - 1)), quantized, weights)


class Quantized(Layer):
    """What a layer does that computes with quantized weights in place of blobs[0]; its other base computes."""

    origin = "dongyp13"
    quantize: Callable[[np.ndarray], np.ndarray]
    quantized: np.ndarray  # of the last forward

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        ratio = self.layer_param.stochastic_quantization_param.ratio
        if not ratio >= 0:
            raise self.error(f"ratio is {ratio:g}; expected per cent, from 0 to 100")
        super().setup(bottom, top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        weights = self.blobs[0].data
        self.quantized = keep_some(self, weights, self.quantize(weights))
        super().forward(bottom, top)
