"""Notices when kernels are compiled: the first time that they run on a machine; later they come from numba's cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event


class _Listener(event.Listener):
    def __init__(self, on_kernel: Callable[[str], None]):
        self.names: list[str] = []
        self._on_kernel = on_kernel
        self._depth = 0
        self._process = os.getpid()

    def on_start(self, event: event.Event) -> None:
        # forks compile too, and say nothing; deeper ones are functions that the kernel calls
        if self._depth == 0 and os.getpid() == self._process:
            name = event.data["dispatcher"].py_func.__name__
            self._on_kernel(name)
            self.names.append(name)
        self._depth += 1

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1


@contextmanager
def noticed(on_kernel: Callable[[str], None] = lambda name: None) -> Iterator[list[str]]:
    """Call on_kernel with the name of each kernel before it is compiled within the block; yields the names so far.

    A kernel counts once for each combination of types that it is compiled for.
    """
    listener = _Listener(on_kernel)
    with event.install_listener("numba:compile", listener):
        yield listener.names
