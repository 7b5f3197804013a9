"""The OHEM net of the paper, with the weights of its recordings: drawn once a process, which takes seconds."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.prototxt import zoo

TRAIN_NET = "vgg_cnn_m_1024_fast_rcnn_ohem_train"
STD = {
    "conv1": 0.02, "conv2": 0.02, "conv3": 0.03, "conv4": 0.02, "conv5": 0.02,
    "fc6": 0.008, "fc7": 0.02, "cls_score": 0.02, "bbox_pred": 0.004,
}  # fmt: skip


def prototxt() -> str:
    """The net as it is published, but without fillers, as its weights are set: to fill them takes seconds."""
    return re.sub(r"(weight|bias)_filler \{[^}]*\}", "", zoo.path(TRAIN_NET).read_text())


def ohem_net(phase: int) -> caffe.Net:
    """The net with the weights of its recordings."""
    net = net_of(prototxt(), phase)
    set_weights(net)
    return net


def set_weights(net: caffe.Net) -> None:
    """The weights of the recordings (tests/golden/README.md tells how they are drawn)."""
    for i, (name, std) in enumerate(STD.items()):
        weight, bias = net.params[name]
        weight.data[...] = _drawn(1000 + i, weight.shape, std)
        bias.data[...] = _drawn(2000 + i, bias.shape, 0.01)


def drawn(seed: int, shape: tuple[int, ...], std: float) -> np.ndarray:
    """`RandomState(seed).standard_normal(shape) * std`, float32."""
    rng, out = np.random.RandomState(seed), np.empty(np.prod(shape), np.float32)
    for part in np.array_split(out, 1 + out.size // 2**19):  # in parts that stay in the cache, as float64
        part[...] = rng.standard_normal(part.size) * std
    return out.reshape(shape)


_drawn = cache(drawn)
