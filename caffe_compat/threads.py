"""How many threads the kernels use: those of NUMBA_NUM_THREADS, else of OMP_NUM_THREADS, else one for each core.

The cores are those that the process may run on (taskset, cpusets). This module is imported before numba, which reads
its variable once, then.
"""

from __future__ import annotations

import os
import sys

from caffe_compat.errors import CaffeCompatError


def set_num_threads(count: int) -> None:
    """Use this many threads from now on.

    Raises CaffeCompatError where there are fewer: cores, or what NUMBA_NUM_THREADS or OMP_NUM_THREADS said.
    """
    import numba

    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    if not 1 <= count <= most:
        raise CaffeCompatError(f"cannot use {count} threads, there are 1 to {most}{_said_by()}")
    numba.set_num_threads(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def _said_by() -> str:
    names = [name for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS") if name in os.environ]
    return f" ({', '.join(f'{name}={os.environ[name]}' for name in names)})" if names else ""


def of_openmp(variable: str, cores: int) -> str | None:
    """The number that OMP_NUM_THREADS asks for, of a list the outermost level's; None where it is none to follow."""
    count = variable.split(",")[0].strip()
    return count if count.isdecimal() and 0 < int(count) <= cores else None


def _honour_openmp() -> None:
    """Hand OMP_NUM_THREADS to numba, which does not read it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = of_openmp(os.environ.get("OMP_NUM_THREADS", ""), cores)
    if count and "numba" not in sys.modules:
        os.environ.setdefault("NUMBA_NUM_THREADS", count)


_honour_openmp()
