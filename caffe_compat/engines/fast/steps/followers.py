"""Layers behind another one that work channel by channel in place: one factor, one term and a kind of ReLU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.layers.base import TEST, Layer
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.bn import BN
from caffe_compat.layers.insanity import Insanity
from caffe_compat.layers.prelu import PReLU
from caffe_compat.layers.relu import ReLU
from caffe_compat.layers.relu6 import LIMIT, ReLU6
from caffe_compat.layers.scale import Scale


def continues(layer: Layer, need_backward: bool) -> bool:
    """Whether a layer can be one: a ReLU or ReLU6, or one of one factor a channel that runs no backward."""
    if type(layer) in (ReLU, ReLU6):
        return True
    if need_backward:
        return False
    if type(layer) is BatchNorm:
        return layer.use_global_stats
    if type(layer) is BN:
        return layer.use_averages or layer.only_affine
    if type(layer) is PReLU:
        return True
    if type(layer) is Insanity:
        return layer.phase == TEST
    param, blobs = layer.layer_param.scale_param, len(layer.blobs)
    return type(layer) is Scale and (param.axis, param.num_axes, blobs) == (1, 1, 1 + param.bias_term)


def ends(layer: Layer) -> bool:
    """Whether nothing can follow the layer: it bends what others would make straight."""
    return type(layer) in (ReLU, ReLU6, PReLU, Insanity)


class Followers:
    """What such layers make of x: f(x * scale + bias), with f as bent.py has it; scale and bias are one a channel.

    `fields` gives all that a row needs of them, in memory that `load` fills from the layers' params; with `each`, what
    is of a channel stands there so many times.
    """

    def __init__(self, layers: Sequence[Layer]):
        self._layers = layers
        self.scale = self._bias = self._slope = np.empty(0, np.float32)
        self._each = 1

    def fields(self, channels: int, more: int = 0, each: int = 1) -> dict[str, Any]:
        """The fields of a row (STEP), which leave x as it is before `load`; bias and slope may be read for `more`."""
        count, self._each = channels * each, each
        self.scale = np.ones(count, np.float32)
        self._bias, self._slope = np.zeros(count + more, np.float32), np.ones(count + more, np.float32)
        limit = LIMIT if self._layers and isinstance(self._layers[-1], ReLU6) else math.inf
        return dict(scale=self.scale, bias=self._bias, slope=self._slope, limit=limit)

    def load(self, bias: np.ndarray | None = None) -> None:
        """Bring the params into the memory of the fields; `bias` is what is added to x first."""
        count = len(self.scale)
        channels = count // self._each
        scale, shift = self._affine(channels, bias)
        slopes = np.broadcast_to(self._slopes(), channels)
        for field, values in ((self.scale, scale), (self._bias, shift), (self._slope, slopes)):
            field[:count] = np.repeat(values, self._each)

    def _affine(self, channels: int, bias: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        scale = np.ones(channels, np.float32)
        shift = np.zeros_like(scale) if bias is None else bias
        for layer in self._layers:
            if isinstance(layer, BatchNorm):
                mean, factor = layer.global_stats()
                scale, shift = scale * factor, (shift - mean) * factor
                if layer.has_scale_bias:
                    factor, term = layer.scale_and_bias()
                    scale, shift = scale * factor, shift * factor + term
            elif isinstance(layer, BN):
                mean, factor = layer.fixed_stats()
                own, term = layer.scale_and_shift()
                scale, shift = scale * factor * own, (shift - mean) * factor * own + term
            elif type(layer) is Scale:
                factor = layer.blobs[0].data
                scale, shift = scale * factor, shift * factor
                if layer.bias is not None:
                    shift = shift + layer.bias.data
        return scale, shift

    def _slopes(self) -> np.ndarray | float:
        """One a channel, or one for all."""
        last = self._layers[-1] if self._layers else None
        if isinstance(last, PReLU):
            return last.blobs[0].data
        if isinstance(last, Insanity):
            return 1 / np.float32(last.mean_slope)
        return last.slope if isinstance(last, (ReLU, ReLU6)) else 1.0
