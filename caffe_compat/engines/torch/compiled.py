"""Layers that torch.compile makes kernels for, as many at once as follow each other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.engines.torch.layer_module import LayerModule
from caffe_compat.errors import CaffeCompatError
from caffe_compat.graph import Graph, Node
from caffe_compat.layers.convolution.convolution import Convolution

Shapes = list[tuple[int, ...]]


def check_compiler(device: torch.device) -> None:
    """Raise CaffeCompatError where torch.compile has no compiler for a CPU here."""
    compiler = os.environ.get("CXX", "g++")
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise CaffeCompatError(
            f"--compile needs a C++ compiler, and there is no {compiler}; install one, or leave --compile out"
        )


class Segment(nn.Module):
    """The layers first to last (both included), of which the net needs only some tops.

    bottoms: for each blob that comes from outside the layer (counted from first) and the bottom that read it. inner:
    for each top of each layer, in order, whether another layer in here reads it: its gradient goes nowhere else.
    """

    def __init__(self, first: int, nodes: Sequence[Node], layers: Sequence[LayerModule]):
        super().__init__()
        self.first, self.last = first, first + len(nodes) - 1
        self.layers, self._nodes = nn.ModuleList(layers), list(nodes)
        self.bottoms: list[tuple[int, int]] = []
        made: dict[int, int] = {}  # blob -> the number of the top that it is by now
        read: set[int] = set()
        count = 0
        for i, node in enumerate(nodes):
            for j, blob in enumerate(node.bottoms):
                if blob in made:
                    read.add(made[blob])
                else:
                    self.bottoms.append((i, j))
            for blob in node.tops:
                made[blob], count = count, count + 1
        self.inner = [number in read for number in range(count)]
        self.run = torch.compile(self)

    def forward(self, bottoms: list[Tensor], shapes: list[Shapes]) -> list[Tensor]:
        """All tops, in the order of the layers, those that are read in here without their gradient."""
        values = dict(zip((self._nodes[i].bottoms[j] for i, j in self.bottoms), bottoms, strict=True))
        tops: list[Tensor] = []
        for node, layer, own in zip(self._nodes, self.layers, shapes, strict=True):
            found = layer([values[blob] for blob in node.bottoms], own)
            values.update(zip(node.tops, found, strict=True))
            tops += found
        return [top.detach() if inner else top for top, inner in zip(tops, self.inner, strict=True)]


def segments(graph: Graph, layers: Sequence[LayerModule]) -> dict[int, Segment]:
    """The longest runs of layers that torch.compile can trace, by their first layer."""
    result: dict[int, Segment] = {}
    first = 0
    for i in range(len(layers) + 1):
        if i < len(layers) and _is_traceable(layers[i]):
            continue
        if i > first:
            result[first] = Segment(first, graph.nodes[first:i], layers[first:i])
        first = i + 1
    return result


def _is_traceable(layer: LayerModule) -> bool:
    compute = layer.compute
    if not isinstance(compute, TorchLayer) or not compute.traceable or compute.layer.is_loss:
        return False
    # torch 2.13's compiler fails at convolutions over three axes as soon as their sizes change
    return not (isinstance(compute.layer, Convolution) and len(compute.layer.geometry.kernel) == 3)
