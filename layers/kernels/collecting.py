"""No garbage is collected while numba compiles: it makes many objects that stay, and to look at them again and again
takes a tenth of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from numba.core import event


@contextmanager
def paused() -> Iterator[None]:
    """No collection within the block."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Listener(event.Listener):
    """Its pauses are one in the other: one thread compiles at a time."""

    def __init__(self) -> None:
        self._pauses: list[AbstractContextManager[None]] = []

    def on_start(self, event: event.Event) -> None:
        self._pauses.append(paused())
        self._pauses[-1].__enter__()

    def on_end(self, event: event.Event) -> None:
        self._pauses.pop().__exit__(None, None, None)


def pause_while_compiling() -> None:
    event.register("numba:compile", _Listener())
