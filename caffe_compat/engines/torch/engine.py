"""The torch engine: PyTorch computes the layers on a device; those that it cannot compute run on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caffe_compat.engine import TORCH
from caffe_compat.engines.strict import StrictEngine
from caffe_compat.engines.torch.devices import device_config, keep_freed_memory
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.engines.torch.nets import torch_runners
from caffe_compat.engines.torch.updates import TorchUpdates
from caffe_compat.engines.torch.workers import Workers, shards
from caffe_compat.net import Net


class TorchEngine(StrictEngine):
    """Runs layer by layer as StrictEngine does, but by torch; blobs stay on the device.

    Attributes: `config`, the device and the precision; `masks`, which draws the masks of dropout; with
    `masks.as_caffe` they are Caffe's own, for comparisons.
    """

    name = TORCH

    def __init__(self, net: Net, device: str = "cpu", precision: str = "float32"):
        super().__init__(net, device, precision)
        self.config, self.masks = device_config(device, precision), Masks()
        self.updates = TorchUpdates(self.config.device)
        self._runners: dict[int, Any] = dict(torch_runners(net, self.config, self.masks))
        for blob in (*net.blob_list, *(net.param_blob(param) for param in net.learnable)):
            blob.track()
        if self.config.device.type == "cpu":
            keep_freed_memory()

    @classmethod
    def check(cls, device: str, precision: str) -> None:
        device_config(device, precision)

    def forward(self, start: int, end: int) -> float:
        self._set_precision()
        return super().forward(start, end)

    def backward(self, start: int, end: int) -> None:
        self._set_precision()
        super().backward(start, end)

    def _set_precision(self) -> None:
        """Set torch's switch for tf32, which is one for the whole process, so each net sets it before it runs."""
        is_tf32 = self.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = is_tf32

    def forward_layer(self, index: int) -> None:
        if index not in self._runners:
            super().forward_layer(index)
            return
        net = self.net
        net.call_layer(index, self._runners[index].forward, net.bottoms[index], net.tops[index])

    def backward_layer(self, index: int) -> None:
        if index not in self._runners:
            super().backward_layer(index)
            return
        net, flags = self.net, self.net.plan[index].propagate_down
        net.check_gradient(index)
        net.call_layer(index, self._runners[index].backward, net.tops[index], flags, net.bottoms[index])

    def train(self) -> None:
        self.workers = workers = Workers.of_this_run(self.config.device)
        if workers:
            self.masks.rank = workers.rank
            self._runners |= shards(self.net, workers)

    def wait(self) -> None:
        if self.config.device.type == "cuda":
            torch.cuda.synchronize(self.config.device)

    def get_state(self) -> dict[str, np.ndarray]:
        return self.masks.get_state()

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.masks.set_state(state, self.config.device)
