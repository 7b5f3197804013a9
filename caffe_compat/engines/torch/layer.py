"""A layer as torch computes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.engines.torch.devices import DeviceConfig
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.layers.base import Layer

# Takes the layer, its params and its bottoms; returns its tops. The layer of the project (`.layer`) is set up, and
# reshaped for these bottoms: shapes are checked. Bottoms and params are not written to, but for what is in place.
Function = Callable[["TorchLayer", list[Tensor], list[Tensor]], list[Tensor]]


def shaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x in this shape: itself, without a step of the graph, where it has it."""
    return x if x.shape == shape else x.reshape(shape)


@dataclass(frozen=True)
class Conversion:
    """How torch computes a layer type; see `converts` in converters.py."""

    function: Function
    fits: Callable[[Layer], bool]
    own_memory: bool
    is_product: bool
    traceable: bool


class TorchLayer:
    """Computes a layer's tops from its params and bottoms.

    layer: of the project, set up. shapes: of its tops, for the bottoms that it was reshaped for. in_place: whether the
    tops may be written into the bottoms' memory. kept: of a Dropout in training, which elements stay (a bool tensor, or
    one of 0 and 1, of the bottom's shape), in the place of a draw of `masks`, the net's. room: maybe the
    tensor that the layer has made last time and that nobody needs, for whose like malloc would take fresh memory: the
    gradient of an InnerProduct's weights, or the top of a ROIPooling.
    """

    def __init__(
        self,
        layer: Layer,
        conversion: Conversion,
        config: DeviceConfig,
        in_place: bool = False,
        masks: Masks | None = None,
    ):
        self.layer, self.config, self.in_place, self.masks = layer, config, in_place, masks or Masks()
        self.shapes: list[tuple[int, ...]] = []
        self.kept: Tensor | None = None
        self.room: list[Tensor] = []
        self._conversion = conversion

    @property
    def traceable(self) -> bool:
        """Whether torch.compile can trace it."""
        return self._conversion.traceable

    def __call__(
        self, params: list[Tensor], bottoms: list[Tensor], shapes: list[tuple[int, ...]]
    ) -> list[Tensor]:
        self.shapes = shapes
        if shapes and not self.layer.counts_rows and not any(math.prod(shape) for shape in shapes):
            return _empty([*params, *bottoms], shapes)
        if self.config.precision == "bf16" and self._conversion.is_product:
            with torch.autocast(self.config.device.type, torch.bfloat16):
                return [top.float() for top in self._conversion.function(self, params, bottoms)]
        return self._conversion.function(self, params, bottoms)


def _empty(values: Sequence[Tensor], shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Tops without elements, which many functions of torch refuse; the gradient at the values is 0."""
    nothing = torch.stack([value.reshape(-1)[:0].sum() for value in values]).sum()
    return [nothing.expand(shape) for shape in shapes]
