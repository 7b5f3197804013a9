"""What pycaffe's compiled half gives besides nets and solvers: the mode, the device, several solvers, the timer.

There is one mode, the CPU, and one solver a process. What asks for more gets a warning where a script can go on, and
an error where it cannot.
"""

from __future__ import annotations

import time
import warnings
from functools import cache

from caffe_compat.blob import Blob
from caffe_compat.containers import BlobList, BlobVec
from caffe_compat.errors import CaffeCompatError
from caffe_compat.glog import init_log, log
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import layer_type_list
from caffe_compat.net import Net
from caffe_compat.rng import set_random_seed
from caffe_compat.solvers import get_solver
from caffe_compat.version import __version__

RawBlobVec = BlobList  # what a layer's bottoms and tops are there

_solvers = {"count": 1, "rank": 0, "multiprocess": False}


def set_mode_cpu() -> None:
    """Compute on the CPU. There is no other mode."""


def set_mode_gpu() -> None:
    """Compute on the CPU all the same, and say so once."""
    _say_no_gpu()


def set_device(device_id: int) -> None:
    """Compute on the CPU all the same, and say so once."""
    _say_no_gpu()


@cache
def _say_no_gpu() -> None:
    warnings.warn("caffe_compat does not use GPUs: it computes on the CPU", stacklevel=3)


# ---- several solvers, as scripts that train on several GPUs ask for -------------------------------------------


def has_nccl() -> bool:
    """Whether solvers can work together: no."""
    return False


class NCCL:
    """Caffe's link between solvers on several GPUs. It is not there: making one raises CaffeCompatError."""

    def __init__(self, solver: object = None, uid: object = None):
        raise _no_nccl()

    @staticmethod
    def new_uid() -> bytes:
        raise _no_nccl()


def _no_nccl() -> CaffeCompatError:
    return CaffeCompatError(
        "there is no NCCL (caffe.has_nccl() is False): training runs in one process, on the CPU; "
        "make one solver and call its step or solve"
    )


def solver_count() -> int:
    """What set_solver_count said last; 1 at first."""
    return _solvers["count"]


def set_solver_count(count: int) -> None:
    """Remember how many solvers a script means to run; each still trains on its own."""
    _solvers["count"] = count


def solver_rank() -> int:
    """What set_solver_rank said last; 0 at first."""
    return _solvers["rank"]


def set_solver_rank(rank: int) -> None:
    """Remember which of its solvers a script means by this process."""
    _solvers["rank"] = rank


def set_multiprocess(multiprocess: bool) -> None:
    """Remember whether a script means to run each solver in a process of its own."""
    _solvers["multiprocess"] = multiprocess


# ---- time -----------------------------------------------------------------------------------------------------


class Timer:
    """A stopwatch: `start`, `stop`, and `ms`, the milliseconds between (0 before the first start)."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._ms = 0.0

    def start(self) -> None:
        if self._started is None:
            self._started = time.perf_counter()

    def stop(self) -> None:
        if self._started is not None:
            self._ms = (time.perf_counter() - self._started) * 1e3
            self._started = None

    @property
    def ms(self) -> float:
        self.stop()
        return self._ms


__all__ = [
    "NCCL",
    "Blob",
    "BlobVec",
    "Layer",
    "Net",
    "RawBlobVec",
    "Timer",
    "__version__",
    "get_solver",
    "has_nccl",
    "init_log",
    "layer_type_list",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]
