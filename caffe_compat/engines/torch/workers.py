"""Several workers train one net: each computes gradients of its own images, all make the same step.

Worker r of N goes through the same minibatches as one worker would, in the same order, and keeps the r-th of each N: so
N workers at iter_size 1 make the steps of one worker at iter_size N. The random numbers of the host (fillers, shuffles,
samples, DummyData) are the same in all; masks of dropout differ.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from caffe_compat.blob import Blob
from caffe_compat.engines.base import WorkerLost
from caffe_compat.engines.torch import memory
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.input import Input
from caffe_compat.layers.parameter import Parameter
from caffe_compat.net import Net
from caffe_compat.rng import caffe_rng


class Workers:
    """This worker among all: its `rank`, how many there are (`count`), and what they compute together."""

    @staticmethod
    def of_this_run(device: torch.device) -> Workers | None:
        """The workers that torchrun has started; None where there is one."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return None
        return Workers(device)

    def __init__(self, device: torch.device):
        self.device = device
        self._store, self.rank, self.count = next(dist.rendezvous("env://"))
        self._are_alike = False
        dist.init_process_group("gloo", store=self._store, rank=self.rank, world_size=self.count)
        # gloo notices at once when a worker is gone; NCCL waits for it
        self._gradients = dist.new_group(backend="nccl") if device.type == "cuda" else None

    @contextmanager
    def iteration(self, net: Net) -> Iterator[None]:
        """One iteration of a solver of the net: where a worker is lost in it, all stands as before it."""
        before = DataPositions(net)
        try:
            if not self._are_alike:
                self._make_alike(
                    [memory.param(net.param_blob(param), self.device) for param in net.learnable]
                )
            yield
        except WorkerLost:
            before.restore()
            raise

    def _make_alike(self, tensors: Sequence[Tensor]) -> None:
        """Let all have the params of the first one."""
        self._talk(lambda: [dist.broadcast(tensor, 0, group=self._gradients) for tensor in tensors])
        self._are_alike = True

    def agree(self, loss: float, stop: bool, snapshot: bool) -> tuple[float, bool, bool]:
        """The mean loss, and whether any worker wants to stop, or to take a snapshot."""
        values = torch.tensor([loss, stop, snapshot], dtype=torch.float64)
        self._talk(lambda: dist.all_reduce(values))
        return float(values[0]) / self.count, bool(values[1] > 0), bool(values[2] > 0)

    def add_up(self, blobs: Iterable[Blob]) -> None:
        """Let the diffs be the sums of all workers', as diffs are over iter_size (and clipped so)."""
        for blob in blobs:
            diff = memory.diff_or_zeros(blob, self.device)
            self._talk(lambda diff=diff: dist.all_reduce(diff, group=self._gradients))
            memory.set_diff(blob, diff)

    def is_first_to_end(self) -> bool:
        """Whether this is the first of the workers that are left to ask: the one that writes the snapshot."""
        try:
            self._store.set_timeout(timedelta(seconds=20))
            return self._store.add("caffe_compat/ended", 1) == 1
        except RuntimeError:  # whoever kept the store is gone, too
            return self.rank == 0

    def close(self) -> None:
        self._talk(dist.barrier)
        dist.destroy_process_group()

    def _talk(self, call: Any) -> None:
        try:
            call()
        except RuntimeError as error:
            said = re.sub(
                r"^\[.*?\] *", "", " ".join(str(error).split())
            )  # without the place in gloo's source
            raise WorkerLost(said[:120]) from error


class Shard:
    """Runs in the place of a data layer: of each `count` minibatches it keeps its own."""

    def __init__(self, layer: Layer, rank: int, count: int):
        self.layer, self.rank, self.count = layer, rank, count

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for turn in range(self.count):
            tops = top if turn == self.rank else [Blob(blob.shape) for blob in top]
            self.layer.reshape(bottom, tops)
            self.layer.forward(bottom, tops)


def shards(net: Net, workers: Workers) -> dict[int, Shard]:
    """What runs in the place of the net's data layers, so that this worker keeps its part of the minibatches."""
    return {
        i: Shard(net.layers[i], workers.rank, workers.count)
        for i, node in enumerate(net.graph.nodes)
        if not node.bottoms and not isinstance(net.layers[i], (Input, Parameter))
    }


class DataPositions:
    """The positions of a net in its data and in the random numbers, to which it can be put back."""

    def __init__(self, net: Net):
        self._layers = [(layer, layer.get_state()) for layer in net.layers]
        self._drawn, self._shuffled = caffe_rng().get_state(), np.random.get_state()

    def restore(self) -> None:
        for layer, state in self._layers:
            if state:
                layer.set_state(state)
        caffe_rng().set_state(self._drawn)
        np.random.set_state(self._shuffled)
