"""Layers of a torch module that have no torch counterpart: the project's own layers compute them on the CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caffe_compat.net import Net


class HostLayer:
    """Computes tops from params and bottoms by the net's own layer, on the host and on the net's own blobs.

    Call backward at most once after each forward: the layer keeps only what its last forward needs for it.
    """

    def __init__(self, net: Net, index: int, down: Sequence[bool]):
        self.net, self.index, self.down = net, index, list(down)
        self.bottom, self.top = net.bottoms[index], net.tops[index]
        self.layer = net.layers[index]

    def __call__(
        self, params: list[Tensor], bottoms: list[Tensor], shapes: list[tuple[int, ...]]
    ) -> list[Tensor]:
        return list(_HostFunction.apply(self, len(params), *params, *bottoms))

    def forward(self, params: Sequence[Tensor], bottoms: Sequence[Tensor]) -> list[np.ndarray]:
        for blob, tensor in zip([*self.layer.blobs, *self.bottom], [*params, *bottoms], strict=True):
            _put(blob.data, tensor)
        self.layer.forward(self.bottom, self.top)
        self._take_back(params)  # forward may move statistics
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
        if self.layer.backward_changes_params:
            self._take_back(params)
        return [
            *(blob.diff for blob in self.layer.blobs),
            *(blob.diff if down else None for blob, down in zip(self.bottom, self.down, strict=True)),
        ]

    def _take_back(self, params: Sequence[Tensor]) -> None:
        for blob, param in zip(self.layer.blobs, params, strict=True):
            param.data.copy_(torch.from_numpy(blob.data))


class _HostFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, host_layer, count, *values):
        ctx.host_layer, ctx.count = host_layer, count
        ctx.save_for_backward(*values)
        return tuple(_like(array, values) for array in host_layer.forward(values[:count], values[count:]))

    @staticmethod
    def backward(ctx, *diffs):
        values = ctx.saved_tensors
        found = ctx.host_layer.backward(values[: ctx.count], values[ctx.count :], diffs)
        return None, None, *(None if array is None else _like(array, values) for array in found)


def _like(array: np.ndarray, values: Sequence[Tensor]) -> Tensor:
    return torch.from_numpy(array).to(values[0].device, copy=True)


def _put(array: np.ndarray, tensor: Tensor | None) -> None:
    array[...] = 0 if tensor is None else tensor.detach().cpu().numpy()
