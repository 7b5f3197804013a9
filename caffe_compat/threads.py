"""How many threads the kernels use: those of NUMBA_NUM_THREADS, else of OMP_NUM_THREADS, else one for each core.

The cores are those that the process may run on (taskset, cpusets), and no more than the CPU quota of its container has
time for. This module is imported before numba, which reads its variable once, then.
"""

from __future__ import annotations

import math
import os
import sys

from caffe_compat.errors import CaffeCompatError
from caffe_compat.quotas import cpu_quota


def set_num_threads(count: int) -> None:
    """Use this many threads from now on.

    Raises CaffeCompatError where there are fewer: cores, or what NUMBA_NUM_THREADS or OMP_NUM_THREADS said.
    """
    import numba

    from caffe_compat.layers.kernels import threading_layer

    threading_layer.choose()  # numba starts its threads here
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    if not 1 <= count <= most:
        raise CaffeCompatError(f"cannot use {count} threads, there are 1 to {most}{_said_by()}")
    numba.set_num_threads(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def _said_by() -> str:
    names = [name for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS") if name in os.environ]
    return f" ({', '.join(f'{name}={os.environ[name]}' for name in names)})" if names else ""


def usable_cores(allowed: int, quota: float | None) -> int:
    """How many of the allowed cores a quota (in cores; None: none is set) has time for; a part of one counts whole."""
    return allowed if quota is None else min(allowed, math.ceil(quota))


def of_openmp(variable: str, cores: int) -> str | None:
    """The number that OMP_NUM_THREADS asks for, of a list the outermost level's; None where it is none to follow."""
    count = variable.split(",")[0].strip()
    return count if count.isdecimal() and 0 < int(count) <= cores else None


def _tell_numba() -> None:
    """Hand numba what it does not read: OMP_NUM_THREADS and the quota of the container."""
    if "numba" in sys.modules:
        return
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = usable_cores(allowed, cpu_quota())
    count = of_openmp(os.environ.get("OMP_NUM_THREADS", ""), allowed)
    if count or cores < allowed:
        os.environ.setdefault("NUMBA_NUM_THREADS", count or str(cores))


_tell_numba()
