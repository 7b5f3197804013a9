"""Compiles functions in several processes: within one, numba compiles one at a time.

The others are forks of this one, which need not import numba again. All take numbers of functions from one pipe until
that is empty; what the forks have compiled is found on the disk.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence

from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from caffe_compat.layers.kernels.calls import Callee

PATIENCE = 60.0  # seconds that a fork may take for its last function, when there are none left
_INTERVAL = 0.01  # seconds
_MOST = 256  # functions: their numbers are bytes
_PROCESSES = 4  # more would wait for the one that has the slowest function
_CAN_FORK = sys.platform.startswith("linux")  # elsewhere libraries of the system do not survive it


def compile_together(functions: Iterable[Callee], processes: int) -> None:
    """Compile those that are not compiled yet, here and in forks. What no fork has compiled is compiled when its
    address is asked for."""
    missing = [one for one in dict.fromkeys(functions) if not one.load()][:_MOST]
    processes = min(processes, len(missing), _PROCESSES)
    if processes < 2 or not _CAN_FORK:
        return
    for context in (cpu_target.typing_context, cpu_target.target_context):
        context.refresh()  # imports what all of them need
    numbers, to = os.pipe()
    os.write(to, bytes(range(len(missing))))
    os.close(to)
    os.set_blocking(numbers, False)  # a fork that another thread starts may hold the other end
    mine: set[Callee] = set()
    forks: list[int] = []
    try:
        forks.extend(_start(missing, numbers, processes - 1))
        for one in _taken(missing, numbers):
            mine.add(one)
            one.compile()
    finally:
        _read(numbers, _MOST)  # after an error the forks have nothing more to do
        os.close(numbers)
        _wait(forks)
    for one in missing:
        if one not in mine:
            with one.compiling():
                one.load()


def _taken(functions: Sequence[Callee], numbers: int) -> Iterator[Callee]:
    """Those whose numbers come out of the pipe."""
    while number := _read(numbers, 1):
        yield functions[number[0]]


def _read(numbers: int, count: int) -> bytes:
    """So many bytes of the pipe, or those that are left."""
    try:
        return os.read(numbers, count)
    except BlockingIOError:
        return b""


def _start(functions: Sequence[Callee], numbers: int, count: int) -> Iterator[int]:
    """Start forks; yields their process numbers. Fewer where the system has no room for them."""
    parent = os.getpid()
    for _ in range(count):
        with global_compiler_lock, warnings.catch_warnings():  # no other thread compiles now
            # which says that there are other threads: a fork needs none of their locks
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                process = os.fork()
            except OSError:
                return
        if not process:
            _compile_in_fork(functions, numbers, parent)
        yield process


def _compile_in_fork(functions: Sequence[Callee], numbers: int, parent: int) -> None:
    """Never returns, and says nothing: what is written is this process's to write."""
    try:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        for function in _taken(functions, numbers):
            function.compile()
            if os.getppid() != parent:
                break
    finally:
        os._exit(0)


def _wait(forks: Iterable[int]) -> None:
    """Until they have ended; one that does not is killed."""
    end = time.monotonic() + PATIENCE
    for process in forks:
        try:
            while os.waitpid(process, os.WNOHANG) == (0, 0):
                if time.monotonic() > end:
                    os.kill(process, signal.SIGKILL)
                time.sleep(_INTERVAL)
        except ChildProcessError:  # somebody else has waited for it
            continue
