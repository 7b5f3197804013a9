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
        values = self.tensor.detach().cpu().numpy()
        if array.size == values.size:
            np.copyto(array.reshape(values.shape), values)
        else:  # the blob has another shape by now
            count = min(array.size, values.size)
            array.reshape(-1)[:count] = values.reshape(-1)[:count]


def data(blob: Blob, device: torch.device) -> Tensor:
    """The blob's data on the device, in its shape; not to be written to."""
    pending = blob.pending_data
    if isinstance(pending, PendingTensor):
        return pending.tensor.reshape(blob.shape)
    return torch.from_numpy(blob.data).to(device, copy=True)  # host layers write into their blobs again


def set_data(blob: Blob, tensor: Tensor) -> None:
    """Let the blob have these values, and this shape."""
    blob.reshape(*tensor.shape)
    blob.defer_data(PendingTensor(tensor))


def diff(blob: Blob, device: torch.device) -> Tensor | None:
    """The blob's diff on the device, as it is there or in the blob's shape; None where there is none, which counts as
    zeros."""
    pending = blob.pending_diff
    if isinstance(pending, PendingTensor):
        return pending.tensor
    if blob.diff_is_cleared or not blob.has_diff:
        return None
    return torch.from_numpy(blob.diff).to(device, copy=True)


def set_diff(blob: Blob, tensor: Tensor) -> None:
    """Let the blob have this diff."""
    blob.defer_diff(PendingTensor(tensor))
