"""The layers of a net as torch modules, whose gradients follow the net's plan."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from caffe_compat.engines.torch.devices import DeviceConfig
from caffe_compat.engines.torch.fallback import HostLayer
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.engines.torch.nets import brings_data, torch_layers
from caffe_compat.net import Net


class LayerModule(nn.Module):
    """A layer with its Parameters, which are called 0, 1, ...

    compute: a TorchLayer where torch has a counterpart (that of a Dropout takes a mask in `compute.kept`), a HostLayer
    where it has none, and None for a layer that brings data. down, learns: which bottoms and params get a gradient.
    """

    compute: TorchLayer | HostLayer | None

    def __init__(
        self,
        compute: TorchLayer | HostLayer | None,
        params: list[nn.Parameter],
        down: list[bool],
        learns: list[bool],
    ):
        super().__init__()
        self.compute, self.down, self.learns = compute, down, learns
        self._has_gradient = any(down) or any(learns)
        self._has_all = all(down) and all(learns)
        for j, param in enumerate(params):
            self.register_parameter(str(j), param)

    @property
    def params(self) -> list[nn.Parameter]:
        return [param for param in self._parameters.values() if param is not None]

    def forward(self, bottoms: list[Tensor], shapes: list[tuple[int, ...]]) -> list[Tensor]:
        assert self.compute is not None
        params: list[Tensor] = [*self.params]
        if not self._has_gradient:
            with torch.no_grad():
                return self.compute(params, bottoms, shapes)
        if not self._has_all:
            params = [p if learns else p.detach() for p, learns in zip(params, self.learns, strict=True)]
            bottoms = [b if down else b.detach() for b, down in zip(bottoms, self.down, strict=True)]
        return self.compute(params, bottoms, shapes)


def layer_modules(
    net: Net, config: DeviceConfig, masks: Masks, params_of: Callable[[int], list[nn.Parameter]]
) -> list[LayerModule]:
    """One module a layer. params_of: gives the Parameters of a layer, by its index. Warns as `torch_layers` does."""
    computed = torch_layers(net, config, masks)
    result = []
    for i, plan in enumerate(net.plan):
        compute = computed.get(i) or (None if brings_data(net, i) else HostLayer(net, i, plan.propagate_down))
        result.append(LayerModule(compute, params_of(i), plan.propagate_down, plan.param_propagate_down))
    return result
