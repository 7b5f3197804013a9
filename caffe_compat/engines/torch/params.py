"""The params of a net as Parameters of torch, on the device and in the memory order that products want.

On the host a param has Caffe's order. On the device the weights of a two-dimensional convolution are channels last, and
so are those of an InnerProduct behind maps, whose shape there is outputs x channels x rows x columns.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from caffe_compat.backward_plan import param_gets_gradient
from caffe_compat.blob import Blob
from caffe_compat.engines.torch import memory
from caffe_compat.engines.torch.devices import is_host, return_freed_memory
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.net import Net


class Params:
    """One Parameter a learnable param, in the net's order; nets that share a param share its memory there too."""

    def __init__(self, net: Net, device: torch.device):
        self.device = device
        self.blobs = [net.param_blob(param) for param in net.learnable]
        self.parameters = [
            nn.Parameter(torch.empty(0, device=device), param_gets_gradient(net.plan, param.uses))
            for param in net.learnable
        ]
        self._shapes = [
            _shape(net, param.uses, blob) for param, blob in zip(net.learnable, self.blobs, strict=True)
        ]
        self._numbers = {use: k for k, param in enumerate(net.learnable) for use in param.uses}
        self._of_parameter = {id(parameter): k for k, parameter in enumerate(self.parameters)}
        self._of_blob = {id(blob): k for k, blob in enumerate(self.blobs)}
        self._rooms: dict[int, list[Tensor]] = {}
        self._held: dict[int, Tensor] = {}  # what those had when they were loaded whose arrays somebody holds
        for blob in self.blobs:
            blob.track()

    def of_layer(self, index: int, count: int) -> list[nn.Parameter]:
        """The Parameters of a layer that has so many params."""
        return [self.parameters[self._numbers[index, j]] for j in range(count)]

    def number(self, parameter: nn.Parameter) -> int:
        """The number of a Parameter."""
        return self._of_parameter[id(parameter)]

    def of_blob(self, blob: Blob) -> nn.Parameter:
        """The Parameter of a learnable param's blob, with what the host has written last."""
        number = self._of_blob[id(blob)]
        self._load(number)
        return self.parameters[number]

    def load(self) -> None:
        """Bring what the host has written into params since the device had them."""
        are_new = any(not parameter.numel() for parameter in self.parameters)
        for number in range(len(self.blobs)):
            self._load(number)
        if are_new and is_host(self.device):
            return_freed_memory()  # where the arrays of the host were, and what they were read from
        self._held = {
            number: self.parameters[number].detach().clone()
            for number, blob in enumerate(self.blobs)
            if blob.pending_data is None
        }

    def tell_moved(self) -> None:
        """Bring what layers have moved since `load`, as averages, into arrays that somebody holds."""
        for number, before in self._held.items():
            if not torch.equal(before, self.parameters[number]):
                self.wrote(self.blobs[number])
        self._held = {}

    def _load(self, number: int) -> None:
        blob, parameter = self.blobs[number], self.parameters[number]
        pending = blob.pending_data
        if isinstance(pending, memory.PendingTensor):
            if pending.tensor.data_ptr() != parameter.data_ptr():  # another net with this param has made it
                parameter.data = pending.tensor
            return
        values = torch.from_numpy(blob.data).reshape(self._shapes[number])
        if parameter.shape == values.shape:
            parameter.data.copy_(values)
        else:
            order = torch.channels_last if values.ndim == 4 else torch.contiguous_format
            parameter.data = torch.empty(values.shape, device=self.device, memory_format=order).copy_(values)
        del values  # it is the host's array, which nobody needs now
        self.wrote(blob)
        if self._rooms.get(number) == [] and parameter.grad is None:
            self._rooms[number].append(torch.empty_like(parameter))  # where the host's array was

    def wrote(self, blob: Blob) -> None:
        """Say that the data of this blob's Parameter has changed, or is there for the first time."""
        blob.defer_data(memory.PendingTensor(self.parameters[self._of_blob[id(blob)]].data))
        blob.release_data()

    def gradient(self, blob: Blob) -> Tensor | None:
        """The diff of a param's blob, as its Parameter has it in `grad`; None where there is none."""
        found = memory.diff(blob, self.device)
        like = self.parameters[self._of_blob[id(blob)]]
        if found is None or (found.shape == like.shape and found.stride() == like.stride()):
            return found
        return torch.empty_like(like).copy_(found.reshape(like.shape))

    def take_gradients(self, numbers: Iterable[int]) -> None:
        """Let the `grad` of these Parameters be their blobs' diffs, to which backward adds."""
        for number in numbers:
            self.parameters[number].grad = self.gradient(self.blobs[number])

    def give_gradients(self, numbers: Iterable[int]) -> None:
        """Let the blobs' diffs be the `grad` of these Parameters."""
        for number in numbers:
            grad = self.parameters[number].grad
            if grad is not None:
                memory.set_diff(self.blobs[number], grad)

    def drop_cleared(self) -> None:
        """Free the `grad` of Parameters whose diffs are cleared, or let the next one have its memory (see `room`)."""
        for number, (blob, parameter) in enumerate(zip(self.blobs, self.parameters, strict=True)):
            if blob.diff_is_cleared and parameter.grad is not None:
                if number in self._rooms:
                    self._rooms[number][:] = [parameter.grad]
                parameter.grad = None

    def room(self, index: int, param: int) -> list[Tensor]:
        """Where `drop_cleared` puts memory for the gradient of a layer's param."""
        return self._rooms.setdefault(self._numbers[index, param], [])

    def learning(self) -> list[int]:
        """The numbers of those that get a gradient."""
        return [number for number, parameter in enumerate(self.parameters) if parameter.requires_grad]


def _shape(net: Net, uses: list[tuple[int, int]], blob: Blob) -> tuple[int, ...]:
    """A param's shape on the device."""
    maps = {_maps(net, *use) for use in uses}
    found = maps.pop()
    return blob.shape if maps or found is None else (blob.shape[0], *found)


def _maps(net: Net, index: int, param: int) -> tuple[int, ...] | None:
    """Channels, rows and columns of the maps that a layer multiplies with its weights; None of another param."""
    layer = net.layers[index]
    if param or type(layer) is not InnerProduct:
        return None
    shape, settings = net.bottoms[index][0].shape, layer.layer_param.inner_product_param
    return shape[1:] if len(shape) == 4 and settings.axis == 1 and not settings.transpose else None
