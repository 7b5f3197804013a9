"""The processes that torchrun has started, which talk through torch.distributed (gloo)."""

from __future__ import annotations

import ctypes
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch.distributed as dist

from caffe_compat.engines.group import Group, WorkerLost

T = TypeVar("T")

# gloo notices at once when a process is gone; one that still works on its share may take hours
PATIENCE = timedelta(days=7)
MEETING = timedelta(minutes=10)  # that a worker waits for the others to start
PR_SET_PDEATHSIG = 1  # Linux's prctl


class TorchGroup(Group):
    """See Group; made once a process, by the environment that torchrun gives."""

    def __init__(self) -> None:
        _end_with_torchrun()
        self._store, self.rank, self.count = next(dist.rendezvous("env://", timeout=MEETING))
        dist.init_process_group(
            "gloo", store=self._store, rank=self.rank, world_size=self.count, timeout=PATIENCE
        )

        self._is_first: bool | None = None

    def talk(self, call: Callable[[], T]) -> T:
        """call(), which talks to the other workers. Raises WorkerLost where that fails."""
        try:
            return call()
        except RuntimeError as error:
            raise lost(error) from error

    def gather(self, mine: T) -> list[T]:
        found: list[T] = [mine] * self.count
        self.talk(lambda: dist.all_gather_object(found, mine))
        return found

    def is_first_to_end(self) -> bool:
        if self._is_first is None:
            try:
                self._store.set_timeout(timedelta(seconds=20))
                self._is_first = self._store.add("caffe_compat/ended", 1) == 1
            except RuntimeError:  # whoever kept the store is gone, too
                self._is_first = self.rank == 0
        return self._is_first

    def close(self) -> None:
        self.talk(dist.barrier)
        dist.destroy_process_group()


def _end_with_torchrun() -> None:
    """Let the system send this worker SIGTERM when torchrun, which started it, is gone: on Linux. Else it would go on
    beside what somebody starts in its place, or wait for the others for as long as MEETING.

    Raises WorkerLost where it is gone already.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        parent = Path(f"/proc/{os.getppid()}/cmdline").read_bytes()
        if b"python" not in parent and b"torch" not in parent:  # what takes in orphans
            raise WorkerLost("torchrun, which has started this worker, is gone")


def lost(error: Exception) -> WorkerLost:
    """The error for one of torch's, where a worker did not answer."""
    said = re.sub(r"^\[.*?\] *", "", " ".join(str(error).split()))  # without the place in gloo's source
    return WorkerLost(f"a worker is gone ({said[:120]})")
