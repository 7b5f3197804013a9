"""Several workers train one net: each computes gradients of its own images, all make the same step.

Worker r of N serves the r-th of each N minibatches that one worker would (see layers/common/shared_out.py), and torch's
DistributedDataParallel adds the gradients up while backward still runs: so N workers at iter_size 1 make the steps of
one worker at iter_size N. The random numbers of the host (fillers, shuffles, samples, DummyData) are the same in all;
masks of dropout differ, by worker and iteration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from caffe_compat.blob import Blob
from caffe_compat.engines.group import WorkerLost
from caffe_compat.engines.torch.graph import Graph
from caffe_compat.engines.torch.group import TorchGroup, lost
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.net import Net
from caffe_compat.rng import caffe_rng


class Workers:
    """What this worker, among all of its `group`, computes together with the others.

    run: what runs the net forward in place of its graph, where gradients are to be added up; else None. Raises
    LayerError for a layer whose backward writes params from what it has seen: each worker would have others.
    """

    def __init__(self, graph: Graph, group: TorchGroup, masks: Masks):
        for layer in graph.net.layers:
            if layer.backward_changes_params:
                raise layer.error(
                    "its backward keeps what it has seen in its params, and several workers see different images; "
                    "train with one, at a larger iter_size"
                )
        self.graph, self.group, self.masks = graph, group, masks
        self.run: DistributedDataParallel | None = None
        self._parallel: DistributedDataParallel | None = None
        self._failure: Exception | None = None
        self._reached: set[int] = set()  # the numbers of params that autograd has had a gradient for
        # gloo notices at once when a worker is gone; NCCL waits for it
        self._gradients = dist.new_group(backend="nccl") if graph.device.type == "cuda" else None
        for i, layer in graph.data_layers.items():
            if isinstance(layer, SharedOut) and layer.shares_out:
                layer.share_out(group.rank, group.count)
            else:
                graph.data_layers[i] = Shard(layer, group.rank, group.count)

    @contextmanager
    def iteration(self, net: Net, number: int) -> Iterator[None]:
        """One iteration of a solver of the net: where a worker is lost in it, all stands as before it."""
        before = DataPositions(net)
        self.masks.start(number, self.group.rank)
        try:
            if self._parallel is None and self.graph.params.learning():
                self._parallel = self.group.talk(self._wrapped)
            yield
        except WorkerLost:
            before.restore()
            raise

    def _wrapped(self) -> DistributedDataParallel:
        """The graph, whose params are from now on those of the first worker, and whose gradients are sums."""
        self.graph.params.load()
        parallel = DistributedDataParallel(
            self.graph, process_group=self._gradients, gradient_as_bucket_view=True
        )
        parallel.register_comm_hook(None, lambda _, bucket: self._sum(bucket))
        self._arrange(parallel)
        for number in self.graph.params.learning():
            parameter = self.graph.params.parameters[number]
            parameter.register_post_accumulate_grad_hook(lambda _, number=number: self._reached.add(number))
        return parallel

    def _arrange(self, parallel: DistributedDataParallel) -> None:
        """Let gradients of zeros arrive, the last layer's first. In what order workers are added up goes by where a
        gradient lies, and DistributedDataParallel places them anew after the first backward: after a resume the first
        iteration would round otherwise than without it."""
        parallel(0, -1)  # of no layers
        for number in reversed(self.graph.params.learning()):
            parameter = self.graph.params.parameters[number]
            torch.autograd.backward(parameter, torch.zeros_like(parameter))
            parameter.grad = None

    def _sum(self, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
        """Diffs are sums over iter_size (and clipped so), and sums over workers too."""
        work = dist.all_reduce(bucket.buffer(), group=self._gradients, async_op=True)
        return work.get_future().then(self._landed)

    def _landed(self, future: torch.futures.Future[Sequence[Tensor]]) -> Tensor:
        """The sum that has arrived; remembers what went wrong, as DistributedDataParallel raises something else."""
        try:
            return future.value()[0]
        except RuntimeError as error:
            self._failure = error
            raise

    @contextmanager
    def forward_backward(self, is_last: bool) -> Iterator[None]:
        """One forward and backward of an iteration; in its last one gradients are added up."""
        self.run = self._parallel if is_last else None
        self._reached.clear()
        try:
            yield
        except RuntimeError as error:
            if self._failure is None:
                raise
            raise lost(self._failure) from error
        finally:
            self.run = None

    def add_up_the_rest(self) -> None:
        """Called after a backward: DistributedDataParallel waits for all params. Autograd has none for those that were
        computed layer by layer, nor where no gradient flows though one might (into a blob that a layer only reads)."""
        if self.run is not None:
            rest = [number for number in self.graph.params.learning() if number not in self._reached]
            self.graph.hand_over_gradients(rest)

    def agree(self, loss: float, stop: bool, snapshot: bool) -> tuple[float, bool, bool]:
        """The mean loss, and whether any worker wants to stop, or to take a snapshot."""
        values = torch.tensor([loss, stop, snapshot], dtype=torch.float64)
        self.group.talk(lambda: dist.all_reduce(values))
        return float(values[0]) / self.group.count, bool(values[1] > 0), bool(values[2] > 0)

    def images_read(self) -> list[int]:
        """How many images each worker has read, by rank."""
        layers = self.graph.data_layers.values()
        return self.group.gather(sum(layer.images_read for layer in layers))


class Shard:
    """Runs in the place of a data layer that is not SharedOut: of each `count` minibatches it keeps its own."""

    def __init__(self, layer: Layer, rank: int, count: int):
        self.layer, self.rank, self.count = layer, rank, count
        self.images_read = 0

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for turn in range(self.count):
            tops = top if turn == self.rank else [Blob(blob.shape) for blob in top]
            self.layer.reshape(bottom, tops)
            self.layer.forward(bottom, tops)
            self.images_read += tops[0].num


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
