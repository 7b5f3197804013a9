"""Runs a layer of a net by torch, on the net's blobs: forward and backward as the layer contract has them.

Backward goes layer by layer too, by torch's autograd within each: so it follows the net's plan, callbacks see every
layer, and every blob has its diff.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caffe_compat.blob import Blob
from caffe_compat.engines.torch import memory
from caffe_compat.engines.torch.layer import TorchLayer


class TorchRunner:
    """Runs forward and backward of a layer by torch, with a layer's own signatures.

    down: for each bottom, whether its gradient may be asked for; learns: the same for each param. Where all are False,
    nothing is kept for backward.
    """

    def __init__(self, torch_layer: TorchLayer, down: Sequence[bool], learns: Sequence[bool]):
        self.torch_layer, self.down, self.learns = torch_layer, list(down), list(learns)
        self._inputs: list[Tensor] = []
        self._tops: list[Tensor] = []

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        device, records = self.torch_layer.config.device, any(self.down) or any(self.learns)
        bottoms = [_leaf(memory.data(b, device), wanted) for b, wanted in zip(bottom, self.down, strict=True)]
        params = [
            _leaf(memory.param(b, device), wanted)
            for b, wanted in zip(self.torch_layer.layer.blobs, self.learns, strict=True)
        ]
        with torch.set_grad_enabled(records):
            tops = self.torch_layer(params, bottoms, [blob.shape for blob in top])
        self._inputs, self._tops = (bottoms + params, tops) if records else ([], [])
        for blob, tensor in zip(top, tops, strict=True):
            memory.set_data(blob, tensor.detach())

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        layer, device = self.torch_layer.layer, self.torch_layer.config.device
        pairs = [
            (tensor, seed.reshape(tensor.shape))
            for tensor, blob in zip(self._tops, top, strict=True)
            if tensor.requires_grad and (seed := memory.diff(blob, device)) is not None
        ]
        learnt = [learns and layer.propagates_to(j) for j, learns in enumerate(self.learns)]
        wanted = [*propagate_down, *learnt]
        inputs = [tensor for tensor, is_wanted in zip(self._inputs, wanted, strict=True) if is_wanted]
        gradients = iter(_gradients(pairs, inputs))
        for blob, is_wanted in zip(bottom, propagate_down, strict=True):
            if is_wanted:
                memory.set_diff(blob, next(gradients))
        seeds = {seed.untyped_storage().data_ptr() for _, seed in pairs}
        for blob, is_wanted in zip(layer.blobs, learnt, strict=True):
            if is_wanted:
                gradient = next(gradients).contiguous()
                if gradient.untyped_storage().data_ptr() in seeds:  # as of a bias: solvers write into diffs
                    gradient = gradient.clone()
                memory.add_diff(blob, gradient)


def _leaf(tensor: Tensor, wanted: bool) -> Tensor:
    return tensor.detach().requires_grad_(wanted)


def _gradients(pairs: list[tuple[Tensor, Tensor]], inputs: list[Tensor]) -> list[Tensor]:
    """The gradients at the inputs, from (top, its gradient); kept, as backward may run again."""
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if pairs and inputs:
        tops, seeds = zip(*pairs, strict=True)
        found = torch.autograd.grad(tops, inputs, seeds, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)]
