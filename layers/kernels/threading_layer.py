"""Which threads run numba's parallel regions: OpenMP's, which wait for the next region for a moment, and then sleep.

numba would take TBB where it is installed. Debian's TBB, 2021.8, slows down with every region that a process runs, and
a net has hundreds a forward. GNU's OpenMP threads, if nobody says otherwise, spin for milliseconds at the end of a
region; beside another busy process that keeps the processor from the very thread that they wait for. Threads that sleep
at once are woken too late for small layers: a net of them takes twice the time. numba's own workqueue must not be used
by several Python threads at once. NUMBA_THREADING_LAYER, NUMBA_THREADING_LAYER_PRIORITY, OMP_WAIT_POLICY and
GOMP_SPINCOUNT count before this.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module

import numba

ORDER = ["omp", "tbb", "workqueue"]  # the first that is installed is taken
SPINS = "3000"  # about 75 us


def choose() -> None:
    """Let numba take its threads in this order. None is started yet; OpenMP reads its variable when it is loaded."""
    if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
        numba.config.THREADING_LAYER_PRIORITY = ORDER  # type: ignore[attr-defined]
    are_told = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if not are_told:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    with suppress(ImportError):  # where there is no OpenMP
        import_module("numba.np.ufunc.omppool")
    if not are_told:
        del os.environ["GOMP_SPINCOUNT"]
