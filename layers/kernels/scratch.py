"""Memory for intermediate results, allocated once and shared by all layers that a thread runs."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

_local = threading.local()
LINE = 64  # bytes of a cache's line: where threads write to the same one they wait for each other
PAGE = 4096  # bytes after which an address falls on the same place in a cache


def scratch(shape: tuple[int, ...], dtype: np.dtype, owner: str = "") -> np.ndarray:
    """An array of this shape with anything in it, which the next call hands out again. It begins a line of the cache.

    So only one lives at a time: a layer asks for it, uses it up, and keeps nothing in it between calls. An owner, which
    layers may call while they use theirs, has one of its own.
    """
    count = math.prod(shape)
    buffers = vars(_local)
    key = owner + np.dtype(dtype).char
    if key not in buffers or buffers[key].size < count:
        buffers[key] = aligned(count, dtype)
    return buffers[key][:count].reshape(shape)


def aligned(count: int, dtype: type | np.dtype = np.float32) -> np.ndarray:
    """An array with anything in it that begins a line of the cache."""
    memory = np.empty(count * np.dtype(dtype).itemsize + LINE, np.uint8)
    begin = -memory.ctypes.data % LINE
    return memory[begin : memory.size - LINE + begin].view(dtype)


def scratch_parts(shapes: Sequence[tuple[int, ...]], dtype: np.dtype, owner: str = "") -> list[np.ndarray]:
    """Several such arrays at once, one behind the other."""
    items = LINE // np.dtype(dtype).itemsize
    counts = [math.prod(shape) for shape in shapes]
    ends = list(accumulate(-(-count // items) * items for count in counts))
    memory = scratch((ends[-1],), dtype, owner)
    starts = [0, *ends[:-1]]
    return [
        memory[start : start + count].reshape(shape)
        for start, count, shape in zip(starts, counts, shapes, strict=True)
    ]


def apart(count: int, dtype: type | np.dtype = np.float32) -> int:
    """At least so many numbers, so many that rows of them neither share lines of a cache nor compete for its places."""
    size = np.dtype(dtype).itemsize
    return -(-count * size // PAGE) * PAGE // size + 3 * LINE // size
