"""Which threads run numba's parallel regions: OpenMP's, asleep while they wait.

numba would take TBB where it is installed. Debian's TBB, 2021.8, slows down with every region that a process runs, and
a net has hundreds a forward. GNU's OpenMP threads, if nobody says otherwise, spin for milliseconds at the end of a
region; beside another busy process that keeps the processor from the very thread that they wait for, and a net takes
ten times as long. Asleep they cost a few microseconds a region. numba's own workqueue must not be used by several
Python threads at once. NUMBA_THREADING_LAYER, NUMBA_THREADING_LAYER_PRIORITY and OMP_WAIT_POLICY count before this.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module

import numba

ORDER = ["omp", "tbb", "workqueue"]  # the first that is installed is taken


def choose() -> None:
    """Let numba take its threads in this order. None is started yet; OpenMP reads its variable when it is loaded."""
    if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
        numba.config.THREADING_LAYER_PRIORITY = ORDER  # type: ignore[attr-defined]
    is_said = "OMP_WAIT_POLICY" in os.environ
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with suppress(ImportError):  # where there is no OpenMP
        import_module("numba.np.ufunc.omppool")
    if not is_said:
        del os.environ["OMP_WAIT_POLICY"]
