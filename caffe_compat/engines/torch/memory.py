"""Moves the values of blobs between the host and a device.

The side that wrote last has the values. Values that the device wrote are pending on the host (`Blob.defer_data`,
`defer_diff`): asking for them copies them, and from then on those of the host count, since its array may be written to.
So only what somebody asks for is copied. Arrays that somebody holds are kept up to date.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe_compat.blob import Blob


class PendingTensor:
    """Values that are still a tensor on the device: called with an array of the host, it copies them there."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor

    def __call__(self, array: np.ndarray) -> None:
        count = min(array.size, self.tensor.numel())  # the blob may have another shape by now
        array.reshape(-1)[:count] = self.tensor.detach().cpu().numpy().reshape(-1)[:count]


def is_host(device: torch.device) -> bool:
    """Whether tensors there can use the memory of arrays."""
    return device.type == "cpu"


def data(blob: Blob, device: torch.device) -> Tensor:
    """The blob's data on the device, in its shape; not to be written to."""
    pending = blob.pending_data
    if isinstance(pending, PendingTensor):
        return pending.tensor.reshape(blob.shape)
    return torch.from_numpy(blob.data).to(device, copy=True)  # host layers write into their blobs again


def param(blob: Blob, device: torch.device) -> Tensor:
    """A param on the device, to be read and written to; on the CPU it is the blob's own memory."""
    pending = blob.pending_data
    if isinstance(pending, PendingTensor):
        return pending.tensor
    if is_host(device):
        return torch.from_numpy(blob.data)
    tensor = torch.from_numpy(blob.data).to(device, copy=True)
    set_data(blob, tensor)
    return tensor


def wrote_param(blob: Blob, tensor: Tensor) -> None:
    """Say that the tensor which `param` returned was written to."""
    if not is_host(tensor.device):
        set_data(blob, tensor)


def set_data(blob: Blob, tensor: Tensor) -> None:
    """Let the blob have these values, and this shape."""
    blob.reshape(*tensor.shape)
    blob.defer_data(PendingTensor(tensor))


def diff(blob: Blob, device: torch.device) -> Tensor | None:
    """The blob's diff on the device; None where there is none, which counts as zeros."""
    pending = blob.pending_diff
    if isinstance(pending, PendingTensor):
        return pending.tensor.reshape(blob.shape)
    if blob.diff_is_cleared or not blob.has_diff:
        return None
    return torch.from_numpy(blob.diff).to(device, copy=True)


def diff_or_zeros(blob: Blob, device: torch.device) -> Tensor:
    """The blob's diff on the device, in its shape."""
    found = diff(blob, device)
    return torch.zeros(blob.shape, device=device) if found is None else found


def set_diff(blob: Blob, tensor: Tensor) -> None:
    """Let the blob have this diff."""
    blob.defer_diff(PendingTensor(tensor))


def add_diff(blob: Blob, tensor: Tensor) -> None:
    """Add to the diff. The tensor may become the diff itself, into which solvers write."""
    before = diff(blob, tensor.device)
    set_diff(blob, tensor if before is None else before + tensor)
