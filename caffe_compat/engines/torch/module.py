"""A net as a torch module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from caffe_compat.engines.torch.devices import DeviceConfig
from caffe_compat.engines.torch.fallback import HostLayer
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.engines.torch.nets import torch_layers
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
        computed = torch_layers(net, DeviceConfig(), Masks())
        down = [plan.propagate_down for plan in net.plan]
        params: dict[int, nn.Parameter] = {}
        for i, layer in enumerate(net.layers):
            compute = computed.get(i) or (HostLayer(net, i, down[i]) if net.graph.nodes[i].bottoms else None)
            plan = net.plan[i]
            learns = plan.param_propagate_down
            for blob in layer.blobs:
                params.setdefault(
                    id(blob.shared_data), nn.Parameter(torch.from_numpy(blob.data.copy()), False)
                )
            own = [params[id(blob.shared_data)] for blob in layer.blobs]
            for param, wanted in zip(own, learns, strict=True):
                param.requires_grad_(param.requires_grad or wanted)
            self.layers.add(layer.name, LayerModule(compute, own, down[i], learns))

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


class LayerModule(nn.Module):
    """A layer with its Parameters, which are called 0, 1, ...

    compute: a TorchLayer where torch has a counterpart (that of a Dropout takes a mask in `compute.kept`), a HostLayer
    where it has none, and None for a layer that brings data.
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
        for j, param in enumerate(params):
            self.register_parameter(str(j), param)

    @property
    def params(self) -> list[nn.Parameter]:
        return [param for param in self._parameters.values() if param is not None]

    def forward(self, bottoms: list[Tensor], shapes: list[tuple[int, ...]]) -> list[Tensor]:
        assert self.compute is not None
        flows = any(self.down) or any(self.learns)
        with torch.set_grad_enabled(flows and torch.is_grad_enabled()):
            params = [p if learns else p.detach() for p, learns in zip(self.params, self.learns, strict=True)]
            wanted = [b if down else b.detach() for b, down in zip(bottoms, self.down, strict=True)]
            return self.compute(params, wanted, shapes)


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
