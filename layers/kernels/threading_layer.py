"""Which threads run numba's parallel regions: OpenMP's, which wait for the next region for a moment, and then sleep.

numba would take TBB where it is installed. Debian's TBB, 2021.8, slows down with every region that a process runs, and
a net has hundreds a forward. GNU's OpenMP threads, if nobody says otherwise, spin for milliseconds at the end of a
region; beside another busy process that keeps the processor from the very thread that they wait for. Threads that sleep
at once are woken too late for small layers: a net of them takes twice the time. numba's own workqueue, which is taken
where there is no OpenMP, ends the process when several Python threads use it: here they wait for each other.
NUMBA_THREADING_LAYER, NUMBA_THREADING_LAYER_PRIORITY, OMP_WAIT_POLICY and GOMP_SPINCOUNT count before this.
"""

from __future__ import annotations

import ctypes
import os
from importlib import import_module
from typing import Any

import numba

ORDER = ["omp", "tbb", "workqueue"]  # the first that is installed is taken
SPINS = "3000"  # about 75 us
MUTEX = 128  # bytes, more than any system's pthread_mutex_t has
_kept: list[Any] = []  # what lives as long as numba's threads


def choose() -> None:
    """Let numba take its threads in this order. None is started yet; OpenMP reads its variable when it is loaded."""
    if "NUMBA_THREADING_LAYER_PRIORITY" not in os.environ:
        numba.config.THREADING_LAYER_PRIORITY = ORDER  # type: ignore[attr-defined]
    are_told = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()
    if not are_told:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    try:
        import_module("numba.np.ufunc.omppool")
        has_openmp = True
    except ImportError:
        has_openmp = False
    if not are_told:
        del os.environ["GOMP_SPINCOUNT"]
    order = numba.config.THREADING_LAYER_PRIORITY  # type: ignore[attr-defined]
    named = numba.config.THREADING_LAYER  # type: ignore[attr-defined]
    is_before = order.index("workqueue") < order.index("omp")
    if os.name == "posix" and (named == "workqueue" or is_before or not has_openmp):
        _let_threads_wait()


def _let_threads_wait() -> None:
    """Put a lock before the workqueue: numba takes this address when it starts its threads."""
    if _kept:
        return
    workqueue = import_module("numba.np.ufunc.workqueue")
    mutex = ctypes.create_string_buffer(MUTEX)  # of zeros: open
    address, word = ctypes.addressof(mutex), ctypes.c_size_t
    lock, unlock = (getattr(ctypes.CDLL(None), f"pthread_mutex_{name}") for name in ("lock", "unlock"))
    lock.argtypes = unlock.argtypes = [word]
    # function, arguments, dims, steps, data, how many dims and arrays (pointers and sizes), threads
    run = ctypes.CFUNCTYPE(None, *[word] * 7, ctypes.c_int)(workqueue.parallel_for)

    def parallel_for(function, arguments, dims, steps, data, inner, arrays, threads):
        lock(address)
        run(function, arguments, dims, steps, data, inner, arrays, threads)
        unlock(address)

    signature = numba.types.void(*[numba.types.uintp] * 7, numba.types.intc)
    one_by_one = numba.cfunc(signature)(parallel_for)
    _kept.extend((mutex, one_by_one))
    workqueue.parallel_for = one_by_one.address  # type: ignore[attr-defined]
