"""A net on its blobs, run by torch as one graph of autograd, or layer by layer where somebody listens.

Forward records what each layer read and wrote. A whole backward goes once through the graph that connects these, and
the gradients of blobs are kept as it passes them. Whoever listens to layers (see Net's callbacks) may change blobs
between two of them, so there each layer reads the blobs, and backward goes layer by layer, by the graph within each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caffe_compat.blob import Blob
from caffe_compat.engines.torch import memory
from caffe_compat.engines.torch.compiled import Segment, segments
from caffe_compat.engines.torch.devices import DeviceConfig
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.engines.torch.layer_module import layer_modules
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.engines.torch.params import Params
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.data.input import Input
from caffe_compat.layers.fast_rcnn.roi_pooling import ROIPooling
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.net import Net

# A bottom: the blob's number, the blob, and where backward puts its gradient, if it gets one. Of several gradients (a
# layer that works in place has one of its top too) the last one stays.
Read = tuple[int, Blob, "deque[Tensor] | None"]
LARGE = 2**22  # elements of weights from which on malloc's own reuse of memory does not do


@dataclass(slots=True)
class Record:
    """What a layer, or layers that ran at once, read and wrote: tensors, and the blobs that they are of; of the bottoms
    those that a gradient flows to. hidden: blobs whose gradients nobody sees."""

    bottoms: list[tuple[Tensor, Blob]]
    tops: list[tuple[Tensor, Blob]]
    hidden: list[Blob] = field(default_factory=list)


class Graph(nn.Module):
    """Runs a net: called with the first and the last layer it runs these forward, and returns the weighted losses."""

    def __init__(self, net: Net, config: DeviceConfig, masks: Masks, compiled: bool = False):
        super().__init__()
        self.net, self.device = net, config.device
        self.params = Params(net, config.device)
        layers = net.layers
        self._computes = layer_modules(
            net, config, masks, lambda i: self.params.of_layer(i, len(layers[i].blobs))
        )
        self.layers = nn.ModuleList(self._computes)
        self._segments = segments(net.graph, self._computes) if compiled else {}
        for i, layer in enumerate([] if compiled else self._computes):
            if (
                isinstance(layer.compute, TorchLayer)
                and type(net.layers[i]) is InnerProduct
                and layer.learns[0]
                and net.layers[i].blobs[0].count >= LARGE
            ):
                layer.compute.room = self.params.room(i, 0)
        self.data_layers: dict[int, Any] = {  # what brings data, a layer or what runs in its place
            i: layer
            for i, layer in enumerate(net.layers)
            if self._computes[i].compute is None and not isinstance(layer, Input)
        }
        self._around = [[*below, *above] for below, above in zip(net.bottoms, net.tops, strict=True)]
        self._gradients: dict[int, deque[Tensor]] = {}  # of blobs, by number, while backward runs
        self._reads = [
            [self._read(*bottom) for bottom in zip(node.bottoms, blobs, layer.down, strict=False)]
            for node, blobs, layer in zip(net.graph.nodes, net.bottoms, self._computes, strict=True)
        ]
        self._rooms = {  # of layers without a gradient, for tops that they may make in the memory of the last ones
            i: layer.compute.room
            for i, layer in enumerate(self._computes)
            if isinstance(layer.compute, TorchLayer)
            and isinstance(layer.compute.layer, ROIPooling)
            and not any(layer.down)
        }
        self._reshaped: dict[int, list[tuple[int, ...]]] = {}  # the shapes around a layer that was reshaped
        self._losses = [i for i, node in enumerate(net.graph.nodes) if any(node.loss_weights)]
        self._records: dict[int, Record] = {}  # of the layers that ran by themselves
        self._in_order: list[Record] = []  # of the last forward
        self._is_whole = False  # whether the last forward connected all layers

    def _read(self, number: int, blob: Blob, down: bool) -> Read:
        return number, blob, self._gradients.setdefault(number, deque(maxlen=1)) if down else None

    # ---- forward ----------------------------------------------------------------------------------------------
    def forward(self, start: int, end: int) -> float:
        net = self.net
        listened = bool(net.callbacks["before_forward"] or net.callbacks["after_forward"])
        self.params.load()
        if start == 0:
            self._forget(end)
        made: dict[int, Tensor] = {}
        self._is_whole = False
        i = start
        while i <= end:
            segment = self._segments.get(i)
            if listened:
                net.notify("before_forward", i)
                self._run_one(i, {})
                net.notify("after_forward", i)
            elif segment is not None and segment.last <= end:
                self._run_segment(segment, made)
                i = segment.last
            else:
                self._run_one(i, made)
            i += 1
        self.params.tell_moved()
        self._is_whole = not listened and (start, end) == (0, len(net.layers) - 1)
        return sum(net.loss_of(i) for i in self._losses if start <= i <= end)

    def _forget(self, end: int) -> None:
        """Free what the last forward made of the layers up to `end`, which are about to run."""
        self._records.clear()
        self._in_order.clear()
        for kept in self._gradients.values():
            kept.clear()  # where the last backward failed
        self.params.drop_cleared()
        for i, room in self._rooms.items():
            made = self.net.tops[i][0].pending_data
            if i <= end:
                room[:] = [made.tensor] if isinstance(made, memory.PendingTensor) else []
        for top in chain.from_iterable(self.net.tops[: end + 1]):
            if isinstance(top.pending_data, memory.PendingTensor):
                top.defer_data(None)

    def run_layer(self, index: int) -> None:
        """Run a layer by itself, on what the blobs have."""
        self._is_whole = False
        self._run_one(index, {})

    def _run_one(self, index: int, made: dict[int, Tensor]) -> None:
        """Run a layer on what the layers before have made, by blob; other bottoms come from the blobs."""
        self._reshape(index)
        self.net.call_layer(index, self._run, index, made)

    def _reshape(self, index: int) -> None:
        """Reshape a layer. One that torch computes is left as it is where no shape has changed since."""
        blobs = self._around[index]
        if [blob.shape for blob in blobs] != self._reshaped.get(index):
            self.net.reshape_layer(index)
            if isinstance(self._computes[index].compute, TorchLayer):
                self._reshaped[index] = [blob.shape for blob in blobs]

    def _run(self, index: int, made: dict[int, Tensor]) -> None:
        layer, tops = self._computes[index], self.net.tops[index]
        bottoms, down = self._bottoms(self._reads[index], made)
        if layer.compute is None:
            found = self._data(index)
        else:
            computed = layer.forward(bottoms, [top.shape for top in tops])
            found = [_apart(top, bottoms) for top in computed]
            for blob, tensor in zip(tops, found, strict=True):
                memory.set_data(blob, tensor.detach())
        made.update(zip(self.net.graph.nodes[index].tops, found, strict=True))
        if self.net.plan[index].need_backward:
            self._records[index] = record = Record(down, list(zip(found, tops, strict=True)))
            self._in_order.append(record)

    def _run_segment(self, segment: Segment, made: dict[int, Tensor]) -> None:
        """Run layers that are compiled together."""
        net, first = self.net, segment.first
        layers = slice(first, segment.last + 1)
        for i in range(first, segment.last + 1):
            self._reshape(i)
        bottoms, down = self._bottoms([self._reads[first + i][j] for i, j in segment.bottoms], made)
        shapes = [[top.shape for top in tops] for tops in net.tops[layers]]
        found = segment.run(bottoms, shapes)
        blobs = list(chain.from_iterable(net.tops[layers]))
        for blob, tensor in zip(blobs, found, strict=True):
            memory.set_data(blob, tensor.detach())
        made.update(
            zip(chain.from_iterable(node.tops for node in net.graph.nodes[layers]), found, strict=True)
        )
        if any(plan.need_backward for plan in net.plan[layers]):
            hidden = [blob for blob, inner in zip(blobs, segment.inner, strict=True) if inner]
            self._in_order.append(Record(down, list(zip(found, blobs, strict=True)), hidden))

    def _bottoms(
        self, reads: Iterable[Read], made: dict[int, Tensor]
    ) -> tuple[list[Tensor], list[tuple[Tensor, Blob]]]:
        """All bottoms, and those that a gradient flows to, each with its blob, whose diff it will be."""
        bottoms, down = [], []
        for number, blob, gradient in reads:
            tensor = made.get(number)
            if tensor is None:
                tensor = memory.data(blob, self.device)
            if gradient is not None:
                if not tensor.requires_grad:
                    tensor = tensor.detach().requires_grad_()
                tensor.register_hook(gradient.append)
                down.append((tensor, blob))
            bottoms.append(tensor)
        return bottoms, down

    def _data(self, index: int) -> list[Tensor]:
        """The tops of a layer that brings data."""
        tops = self.net.tops[index]
        if index in self.data_layers:
            for top in tops:
                top.defer_data(None)
            self.data_layers[index].forward(self.net.bottoms[index], tops)
        return [memory.data(top, self.device) for top in tops]

    # ---- backward ---------------------------------------------------------------------------------------------
    def backward(self, start: int, end: int) -> None:
        """Run the layers start down to end backward."""
        net = self.net
        listened = net.callbacks["before_backward"] or net.callbacks["after_backward"]
        if self._is_whole and not listened and (start, end) == (len(net.layers) - 1, 0):
            self._backward_at_once()
            return
        for i in range(start, end - 1, -1):
            if net.plan[i].need_backward:
                net.notify("before_backward", i)
                self.backward_layer(i)
                net.notify("after_backward", i)

    def _backward_at_once(self) -> None:
        net = self.net
        used: set[int] = set()  # tensors that a gradient flows into from above
        roots: list[Tensor] = []
        seeds: list[Tensor] = []
        for i, plan in enumerate(net.plan):
            if plan.need_backward:
                net.check_gradient(i)
        for record in reversed(self._in_order):
            for tensor, seed in self._seeds(top for top in record.tops if id(top[0]) not in used):
                roots.append(tensor)
                seeds.append(seed)
            for blob in record.hidden:
                blob.defer_diff(_refuse)
            for tensor, blob in record.bottoms:
                used.add(id(tensor))
                blob.clear_diff()
        learning = self.params.learning()
        self.params.take_gradients(learning)
        if roots:
            torch.autograd.backward(roots, seeds, retain_graph=not self._segments)
        self._is_whole = not self._segments  # compiled code frees what it has kept
        for number, kept in self._gradients.items():
            if kept:
                memory.set_diff(net.blob_list[number], kept.pop())
        self._set_apart(learning)
        self.params.give_gradients(learning)

    def backward_layer(self, index: int) -> None:
        """Compute the gradients of a layer, which has run, from the diffs of its tops."""
        self.net.check_gradient(index)
        self.net.call_layer(index, self._backward_layer, index)

    def _backward_layer(self, index: int) -> None:
        net, layer = self.net, self._computes[index]
        if index not in self._records:
            raise CaffeCompatError(_COMPILED if self._segments else "it has not run; call forward before")
        record = self._records[index]
        pairs = self._seeds(record.tops)
        learnt = [
            p for j, p in enumerate(layer.params) if layer.learns[j] and net.layers[index].propagates_to(j)
        ]
        numbers = [self.params.number(param) for param in learnt]
        self.params.take_gradients(numbers)  # before layers of the host write into the diffs
        found = _gradients(pairs, [*(tensor for tensor, _ in record.bottoms), *learnt])
        for kept in self._gradients.values():
            kept.clear()
        for (_, blob), gradient in zip(record.bottoms, found, strict=False):
            memory.set_diff(blob, gradient)
        for param, gradient in zip(learnt, found[len(record.bottoms) :], strict=True):
            param.grad = gradient if param.grad is None else param.grad + gradient
        self._set_apart(numbers)
        self.params.give_gradients(numbers)

    def hand_over_gradients(self, numbers: Sequence[int]) -> None:
        """Let autograd have the gradients of these params as they are, as if it had computed them."""
        if not numbers:
            return
        parameters = [self.params.parameters[number] for number in numbers]
        gradients = [torch.zeros_like(x) if x.grad is None else x.grad for x in parameters]
        for parameter in parameters:
            parameter.grad = None
        torch.autograd.backward(parameters, gradients)
        self.params.give_gradients(self.params.learning())

    def _seeds(self, tops: Iterable[tuple[Tensor, Blob]]) -> list[tuple[Tensor, Tensor]]:
        """The tops that have a gradient to hand down, with it: the diffs of their blobs."""
        return [
            (tensor, seed.reshape(tensor.shape))
            for tensor, blob in tops
            if tensor.requires_grad and (seed := memory.diff(blob, self.device)) is not None
        ]

    def _set_apart(self, numbers: Iterable[int]) -> None:
        """Copy gradients of params that are the diffs of blobs too, as a bias may have it: solvers write into them."""
        pending = (blob.pending_diff for blob in self.net.blob_list)
        taken = {_place(one.tensor) for one in pending if isinstance(one, memory.PendingTensor)}
        for number in numbers:
            parameter = self.params.parameters[number]
            if parameter.grad is not None and _place(parameter.grad) in taken:
                parameter.grad = parameter.grad.clone()


_COMPILED = (
    "with --compile there are no gradients of blobs, nor layers that run backward by themselves; leave it out"
)


def _refuse(array: np.ndarray) -> None:
    """In the place of a gradient that nobody has seen."""
    raise CaffeCompatError(_COMPILED)


def _apart(top: Tensor, bottoms: Sequence[Tensor]) -> Tensor:
    """A top that is a tensor of its own, though maybe with a bottom's memory."""
    for bottom in bottoms:
        if top is bottom:
            return top.view_as(top)
    return top


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _gradients(pairs: list[tuple[Tensor, Tensor]], inputs: list[Tensor]) -> list[Tensor]:
    """The gradients at the inputs, from (top, its gradient); the graph is kept, as backward may run again."""
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if pairs and inputs:
        tops, seeds = zip(*pairs, strict=True)
        found = torch.autograd.grad(tops, inputs, seeds, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]
