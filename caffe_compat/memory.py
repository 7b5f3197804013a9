"""Whether there is memory for something large, before it is asked for."""

from __future__ import annotations

import os
from functools import cache

from caffe_compat.errors import CaffeCompatError
from caffe_compat.quotas import memory_quota

MUCH = 2**28  # bytes for which it pays to look what is left


@cache
def _memory() -> int:
    """What the machine has, or the container may take of it."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(physical, memory_quota() or physical)


def _memory_left() -> int:
    """What this machine can still give; all that there is, where it does not say."""
    try:
        with open("/proc/meminfo") as file:
            kilobytes = {line.split()[0]: int(line.split()[1]) for line in file}
        return min(_memory(), 1024 * (kilobytes["MemAvailable:"] + kilobytes["SwapFree:"]))
    except (OSError, KeyError):
        return _memory()


def check_memory(need: int, what: str) -> None:
    """Raise CaffeCompatError where `what` needs more bytes than the machine has, or has left: the system would hand
    them out, and kill the process when they are written."""
    if need > _memory():
        has, left = _memory(), ""
    elif need > MUCH and need > _memory_left():
        has, left = _memory_left(), " left"
    else:
        return
    raise CaffeCompatError(
        f"{what} takes {need / 2**30:.1f} GiB, this machine has {has / 2**30:.1f} GiB{left}; "
        "make the batch or the image smaller"
    )


def out_of_memory(error: MemoryError) -> str:
    """The line for what the system refused."""
    return f"out of memory ({error}); use smaller inputs"
