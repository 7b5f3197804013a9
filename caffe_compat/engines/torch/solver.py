"""Solvers whose nets torch computes: params, diffs and history stay on the device.

What a snapshot or a test wants of them comes to the host when it asks (see memory.py), so snapshots are the same files,
and either engine goes on from them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe_compat.backward_plan import param_gets_gradient
from caffe_compat.blob import Blob
from caffe_compat.engine import TORCH
from caffe_compat.engines.torch import memory, updates
from caffe_compat.engines.torch.devices import current
from caffe_compat.engines.torch.dropout import masks
from caffe_compat.engines.torch.workers import Places, WorkerLost, Workers, share_data
from caffe_compat.errors import SolverError
from caffe_compat.learnable_params import Param
from caffe_compat.solvers.solver import Solver, Terms

logger = logging.getLogger("caffe_compat.solver")


@cache
def on_device(solver: type[Solver]) -> type[Solver]:
    """The solver type whose updates are computed on the device."""
    return type(solver.__name__, (OnDevice, solver), {})


class OnDevice(Solver):
    """A Solver in one process, or in each of several workers (see workers.py)."""

    rules = updates
    _history: list[Any]

    def _build(self, *args: Any) -> None:
        self.device, self.workers = current().device, Workers.of_this_run(current().device)
        self._wishes = [False, False]  # to stop, to take a snapshot; of this worker
        super()._build(*args)
        self.keep(TORCH, masks)
        masks.rank = self.workers.rank if self.workers else 0
        if self.workers:
            share_data(self.net, self.workers)

    # ---- the update -------------------------------------------------------------------------------------------
    def _move(self, index: int, blob: Blob, terms: Terms, rate: float) -> None:
        diff, data = self._diff(blob), memory.param(blob, self.device)
        flat: list[Any] = [tensor.view(-1) for tensor in (diff, data)]
        self.update(terms, rate, [tensor.view(-1) for tensor in self._own_history(index)], *flat)
        memory.set_diff(blob, diff)
        memory.wrote_param(blob, data)

    def _diff(self, blob: Blob) -> Tensor:
        diff = memory.diff(blob, self.device)
        return torch.zeros(blob.shape, device=self.device) if diff is None else diff

    def _sum_of_squares(self, blob: Blob) -> float:
        return float(torch.linalg.vector_norm(self._diff(blob), dtype=torch.float64)) ** 2

    def _own_history(self, index: int) -> list[Any]:
        places = range(index, len(self._history), len(self.net.learnable))
        for i in places:
            if self._history[i] is None:
                self._history[i] = torch.zeros(self._history_shape(i), device=self.device)
        return [self._history[i] for i in places]

    def all_history(self) -> Iterator[np.ndarray]:
        for i, tensor in enumerate(self._history):
            yield np.zeros(self._history_shape(i), np.float32) if tensor is None else tensor.cpu().numpy()

    def set_history(self, history: list[np.ndarray]) -> None:
        super().set_history(history)
        self._history = [
            None if array is None else torch.from_numpy(array).to(self.device) for array in self._history
        ]

    # ---- several workers --------------------------------------------------------------------------------------
    def _iterate(self) -> None:
        if not self.workers:
            super()._iterate()
            return
        before = Places(self.net)
        try:
            if not self.workers.are_alike:
                self.workers.make_alike(self._params())
            super()._iterate()
        except WorkerLost as lost:
            before.restore()
            self._end_without(lost)

    def _forward_backward(self, display: bool) -> float:
        loss = super()._forward_backward(display)
        if not self.workers:
            return loss
        loss, stop, snapshot = self.workers.agree(loss, *self._wishes)
        if stop or snapshot:
            self._wishes = [False, False]
            self._stop_requested, self._snapshot_requested = stop, snapshot
        for blob in self._learning():
            diff = self._diff(blob)
            self.workers.add_up(diff)
            memory.set_diff(blob, diff)
        return loss

    def _terms(self, param: Param, clip: float) -> Terms:
        clip32, share, l2, l1 = super()._terms(param, clip)
        return clip32, share / np.float32(self.workers.count if self.workers else 1), l2, l1

    def _params(self) -> list[Tensor]:
        return [memory.param(self.net.param_blob(param), self.device) for param in self.net.learnable]

    def _learning(self) -> list[Blob]:
        """The params that get a gradient; the same ones in each worker."""
        plan = self.net.plan
        return [
            self.net.param_blob(param)
            for param in self.net.learnable
            if param_gets_gradient(plan, param.uses)
        ]

    def _end_without(self, lost: WorkerLost) -> None:
        assert self.workers is not None
        if not self.workers.is_first_to_end():
            raise SystemExit(SolverError.exit_code)
        path = super().snapshot()
        raise SolverError(
            f"a worker is gone ({lost}); all params are in the snapshot {path}: go on from it with --resume {path}"
        )

    def request_stop(self, snapshot: bool = True) -> None:
        if not self.workers:
            super().request_stop(snapshot)
        else:  # all stop after the same iteration
            self._wishes = [True, snapshot]

    def request_snapshot(self) -> None:
        if not self.workers:
            super().request_snapshot()
        else:
            self._wishes[1] = True

    def snapshot(self) -> str:
        if not self.workers or self.workers.rank == 0:
            return super().snapshot()
        self._saved_iter = self.iter
        return ""

    def solve(self, resume_file: str | PathLike[str] | None = None) -> None:
        super().solve(resume_file)
        if self.workers:
            self.workers.close()
