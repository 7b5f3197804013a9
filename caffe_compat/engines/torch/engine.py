"""The torch engine: PyTorch computes the layers on a device; those that it cannot compute run on the host."""

from __future__ import annotations

import numpy as np
import torch

from caffe_compat.engine import TORCH
from caffe_compat.engines.base import Engine
from caffe_compat.engines.group import are_several
from caffe_compat.engines.torch.compiled import check_compiler
from caffe_compat.engines.torch.devices import device_config, is_host, keep_freed_memory
from caffe_compat.engines.torch.graph import Graph
from caffe_compat.engines.torch.group import TorchGroup
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.engines.torch.updates import TorchUpdates
from caffe_compat.engines.torch.workers import Workers
from caffe_compat.net import Net


class TorchEngine(Engine):
    """Runs a net as one graph of autograd; blobs stay on the device.

    Attributes: `config`, the device and the precision; `masks`, which draws the masks of dropout; with
    `masks.as_caffe` they are Caffe's own, for comparisons.
    """

    name = TORCH

    def __init__(self, net: Net, device: str = "cpu", precision: str = "float32", compiled: bool = False):
        super().__init__(net, device, precision, compiled)
        self.config, self.masks = device_config(device, precision), Masks()
        self.graph = Graph(net, self.config, self.masks, compiled)
        self.updates = TorchUpdates(self.graph.params)
        self._workers: Workers | None = None
        for blob in net.blob_list:
            blob.track()
        if is_host(self.config.device):
            keep_freed_memory()

    @classmethod
    def check(cls, device: str, precision: str, compiled: bool = False) -> None:
        config = device_config(device, precision)
        if compiled:
            check_compiler(config.device)

    def forward(self, start: int, end: int) -> float:
        self._set_precision()
        adding_up = self._workers.run if self._workers else None
        loss: float = (adding_up or self.graph)(start, end)
        return loss

    def backward(self, start: int, end: int) -> None:
        self._set_precision()
        self.graph.backward(start, end)
        if self._workers:
            self._workers.add_up_the_rest()

    def run_layer(self, index: int, backward: bool = False) -> None:
        self._set_precision()
        if backward:
            self.graph.backward_layer(index)
        else:
            self.graph.params.load()
            self.graph.run_layer(index)

    def _set_precision(self) -> None:
        """Set torch's switch for tf32, which is one for the whole process, so each net sets it before it runs."""
        is_tf32 = self.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = is_tf32

    def train(self) -> None:
        if are_several():
            self.workers = self._workers = Workers(self.graph, TorchGroup(), self.masks)

    def wait(self) -> None:
        if self.config.device.type == "cuda":
            torch.cuda.synchronize(self.config.device)

    def get_state(self) -> dict[str, np.ndarray]:
        return self.masks.get_state()

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.masks.set_state(state, self.config.device)
