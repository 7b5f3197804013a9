"""Layers without a torch counterpart in a torch module: computed on the CPU by the project's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caffe_compat.net import Net


class OwnLayer:
    """Computes tops from params and bottoms by the net's own layer, on the net's own blobs.

    One backward belongs to each forward: what the layer keeps in between is that of its last one.
    """

    def __init__(self, net: Net, index: int, down: Sequence[bool]):
        self.net, self.index, self.down = net, index, list(down)
        self.bottom, self.top = net.bottoms[index], net.tops[index]
        self.layer = net.layers[index]

    def __call__(
        self, params: list[Tensor], bottoms: list[Tensor], shapes: list[tuple[int, ...]]
    ) -> list[Tensor]:
        return list(_Own.apply(self, len(params), *params, *bottoms))

    def forward(self, params: Sequence[Tensor], bottoms: Sequence[Tensor]) -> list[np.ndarray]:
        for blob, tensor in zip([*self.layer.blobs, *self.bottom], [*params, *bottoms], strict=True):
            _put(blob.data, tensor)
        self.net.call_layer(self.index, self.layer.forward, self.bottom, self.top)
        for blob, param in zip(self.layer.blobs, params, strict=True):
            if not param.requires_grad:  # maybe a statistic that forward has changed
                param.data.copy_(torch.from_numpy(blob.data))
        return [top.data for top in self.top]

    def backward(
        self, params: Sequence[Tensor], bottoms: Sequence[Tensor], diffs: Sequence[Tensor | None]
    ) -> list[np.ndarray | None]:
        for blob, tensor in zip([*self.layer.blobs, *self.bottom], [*params, *bottoms], strict=True):
            if all(blob is not top for top in self.top):  # in place, the top's data stays
                _put(blob.data, tensor)
        for blob, diff in zip(self.top, diffs, strict=True):
            _put(blob.diff, diff)
        for blob in self.layer.blobs:
            blob.diff[...] = 0
        self.net.call_layer(self.index, self.layer.backward, self.top, self.down, self.bottom)
        return [
            *(blob.diff for blob in self.layer.blobs),
            *(blob.diff if down else None for blob, down in zip(self.bottom, self.down, strict=True)),
        ]


class _Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, own, count, *values):
        ctx.own, ctx.count = own, count
        ctx.save_for_backward(*values)
        return tuple(_like(array, values) for array in own.forward(values[:count], values[count:]))

    @staticmethod
    def backward(ctx, *diffs):
        values = ctx.saved_tensors
        found = ctx.own.backward(values[: ctx.count], values[ctx.count :], diffs)
        return None, None, *(None if array is None else _like(array, values) for array in found)


def _like(array: np.ndarray, values: Sequence[Tensor]) -> Tensor:
    return torch.from_numpy(array).to(values[0].device, copy=True)


def _put(array: np.ndarray, tensor: Tensor | None) -> None:
    array[...] = 0 if tensor is None else tensor.detach().cpu().numpy()
