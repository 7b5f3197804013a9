"""A net as a torch module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from caffe_compat.engines.torch.devices import DeviceConfig
from caffe_compat.engines.torch.layer_module import LayerModule, layer_modules
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.errors import CaffeCompatError
from caffe_compat.net import Net


class TorchNet(nn.Module):
    """A net as a module on the CPU, with copies of its params; `.to(device)` moves it.

    Call it with the net's inputs by name: it returns the outputs by name, float32 tensors in the blobs' shapes.

    Params are called LAYER.0, LAYER.1 as in `net.params`; a param that layers share is one Parameter. The gradient
    follows the net's plan: a bottom that propagate_down switches off is detached, layers where no gradient flows keep
    nothing for it, and params that learn nowhere have requires_grad False. The optimizer has to apply lr_mult and
    decay_mult; see `param_groups`.

    A warning says which layers have no torch counterpart. These, and layers that bring data, run on the CPU and on the
    net's own blobs, so do not run the net while the module is used.

    Attributes:
        loss     after a forward, the sum of all losses times their weights, to call backward on
        layers   layer name -> LayerModule
    """

    def __init__(self, net: Net):
        super().__init__()
        self.net = net
        self.loss = torch.zeros(())
        self.layers = _ByName()
        params: dict[int, nn.Parameter] = {}
        for layer, plan in zip(net.layers, net.plan, strict=True):
            for blob, learns in zip(layer.blobs, plan.param_propagate_down, strict=True):
                found = nn.Parameter(torch.from_numpy(blob.data.copy()), False)
                param = params.setdefault(id(blob.shared_data), found)
                param.requires_grad_(param.requires_grad or learns)

        def params_of(index: int) -> list[nn.Parameter]:
            return [params[id(blob.shared_data)] for blob in net.layers[index].blobs]

        modules = layer_modules(net, DeviceConfig(), Masks(), params_of)
        for layer, module in zip(net.layers, modules, strict=True):
            self.layers.add(layer.name, module)

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Raises CaffeCompatError for a missing or an unknown input, and what the net's forward raises."""
        net, device = self.net, next(self.parameters(), torch.zeros(())).device
        if set(inputs) != set(net.inputs):
            raise CaffeCompatError(f"the inputs are {', '.join(inputs) or 'none'}; expected {net.inputs}")
        values: dict[int, Tensor] = {}
        losses: list[Tensor] = []
        for i, (node, module) in enumerate(zip(net.graph.nodes, self.layers, strict=True)):
            bottoms = [values[blob] for blob in node.bottoms]
            for bottom, tensor in zip(net.bottoms[i], bottoms, strict=True):
                bottom.reshape(*tensor.shape)
            with net.located():
                if node.param.type == "Input":
                    tops = [inputs[net.blob_names[blob]] for blob in node.tops]
                else:
                    net.reshape_layer(i)
                    tops = self._tops(i, module, bottoms, device)
            for blob, top, tensor, weight in zip(
                node.tops, net.tops[i], tops, node.loss_weights, strict=True
            ):
                top.reshape(*tensor.shape)
                values[blob] = tensor
                if weight:
                    losses.append(weight * tensor.sum())
        self.loss = sum(losses, torch.zeros((), device=device))
        return {net.blob_names[blob]: values[blob] for blob in net.graph.outputs}

    def _tops(self, i: int, module: LayerModule, bottoms: list[Tensor], device: torch.device) -> list[Tensor]:
        net = self.net
        tops = net.tops[i]
        if module.compute is None:  # it brings data
            net.call_layer(i, net.layers[i].forward, net.bottoms[i], tops)
            return [torch.from_numpy(top.data).to(device, copy=True) for top in tops]
        found: list[Tensor] = []

        def forward() -> None:
            found.extend(module(bottoms, [top.shape for top in tops]))

        net.call_layer(i, forward)
        return found

    def param_groups(self, lr: float, weight_decay: float) -> list[dict]:
        """Param groups for an optimizer of torch: one for each param that learns, with lr times its lr_mult and
        weight_decay times its decay_mult."""
        groups = []
        for param in self.net.learnable:
            layer, index = param.uses[0]
            own = self.layers[self.net.layer_names[layer]].params[index]
            if own.requires_grad:
                rate, decay = lr * param.lr_mult.value, weight_decay * param.decay_mult.value
                groups.append({"params": [own], "lr": rate, "weight_decay": decay})
        return groups


class _ByName(nn.Module):
    """Modules by any name; a ModuleDict refuses names that have a dot or are those of its own attributes."""

    def add(self, name: str, module: LayerModule) -> None:
        """Layers without params may have the name of another layer; theirs gets a number behind it."""
        unique = f"{name}:{len(self._modules)}" if name in self._modules else name
        self._modules[unique] = module

    def __getitem__(self, name: str) -> Any:
        return self._modules[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())
