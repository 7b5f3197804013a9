"""A layer as torch computes it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caffe_compat.engines.torch.devices import DeviceConfig
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.layers.base import Layer

PRODUCTS = ("Convolution", "Deconvolution", "DepthwiseConvolution", "InnerProduct")


# Takes the layer, its params and its bottoms; returns its tops. The layer of the project (`.layer`) is set up, and
# reshaped for these bottoms: shapes are checked. Bottoms and params are not written to, but for what is in place.
Converter = Callable[["TorchLayer", list[Tensor], list[Tensor]], list[Tensor]]


class TorchLayer:
    """Computes a layer's tops from its params and bottoms.

    layer: of the project, set up. shapes: of its tops, for the bottoms that it was reshaped for. in_place: whether the
    tops may be written into the bottoms' memory. kept: of a Dropout in training, which elements stay (a bool tensor, or
    one of 0 and 1, of the bottom's shape), in the place of a draw of `masks`, the net's.
    """

    def __init__(
        self,
        layer: Layer,
        convert: Converter,
        config: DeviceConfig,
        in_place: bool = False,
        masks: Masks | None = None,
    ):
        self.layer, self.config, self.in_place, self.masks = layer, config, in_place, masks or Masks()
        self.shapes: list[tuple[int, ...]] = []
        self.kept: Tensor | None = None
        self._convert = convert

    def __call__(
        self, params: list[Tensor], bottoms: list[Tensor], shapes: list[tuple[int, ...]]
    ) -> list[Tensor]:
        self.shapes = shapes
        if self.config.precision == "bf16" and self.layer.type in PRODUCTS:
            with torch.autocast(self.config.device.type, torch.bfloat16):
                return [top.float() for top in self._convert(self, params, bottoms)]
        return self._convert(self, params, bottoms)
