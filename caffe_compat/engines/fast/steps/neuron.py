"""Layers that are a function of one number."""

from __future__ import annotations

import math
from collections.abc import Callable

from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.absval import AbsVal
from caffe_compat.layers.base import Layer
from caffe_compat.layers.clip import Clip
from caffe_compat.layers.dropout import Dropout
from caffe_compat.layers.elu import ELU
from caffe_compat.layers.hard_sigmoid import HardSigmoid
from caffe_compat.layers.hard_swish import HardSwish
from caffe_compat.layers.kernels.step_neuron import neuron
from caffe_compat.layers.mish import Mish
from caffe_compat.layers.power import Power
from caffe_compat.layers.sigmoid import Sigmoid
from caffe_compat.layers.swish import Swish
from caffe_compat.layers.tanh import TanH

POWERS = {0.5: "root", 1: "line", 2: "square", 3: "cube"}  # of Power, those that are a few operations


def _hard_sigmoid(layer: HardSigmoid) -> tuple[str, float, float]:
    param = layer.layer_param.hard_sigmoid_param
    return "hard_sigmoid", param.alpha, param.beta


# the function of functions.py that a type is, and what it takes besides the number
KINDS: dict[type[Layer], Callable[..., tuple[str, float, float]]] = {
    AbsVal: lambda layer: ("absolute", 0, 0),
    Clip: lambda layer: ("clip", *layer.limits),
    Dropout: lambda layer: ("line", layer.scale, 0),
    ELU: lambda layer: ("elu", layer.alpha, 0),
    HardSigmoid: _hard_sigmoid,
    HardSwish: lambda layer: ("hard_swish", 0, 0),
    Mish: lambda layer: ("mish", 0, 0),
    Power: lambda layer: (POWERS[layer.power], layer.scale, layer.shift),
    Sigmoid: lambda layer: ("sigmoid", 0, 0),
    Swish: lambda layer: ("swish", layer.beta, 0),
    TanH: lambda layer: ("tanh", 0, 0),
}


class Neuron(Step):
    """One pass over the blob. Of a layer that runs backward only if that needs no more than its top."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        if isinstance(layer, Power):
            return layer.power in POWERS and layer.scale != 0
        if isinstance(layer, Dropout) and layer.draws:
            return False
        return type(layer) in KINDS

    @staticmethod
    def keeps_enough(layer: Layer) -> bool:
        return type(layer) in (Dropout, Sigmoid, TanH)

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        (layer,), count = self.layers, math.prod(bottoms[0][0].shape)
        name, alpha, beta = KINDS[type(layer)](layer)
        row = self.row(
            function=neuron(name), parts=parts_of(count, LEAST_NUMBERS // 4, threads),
            width=count, alpha=alpha, beta=beta, bottom=bottoms[0][0], top=tops[0][0],
        )  # fmt: skip
        return [row] if count else None
