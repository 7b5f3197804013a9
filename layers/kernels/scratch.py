"""Memory for intermediate results, allocated once and shared by all layers that a thread runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

_local = threading.local()


def scratch(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of this shape with anything in it, which the next call hands out again.

    So only one lives at a time: a layer asks for it, uses it up, and keeps nothing in it between calls.
    """
    count = int(np.prod(shape))
    buffers = vars(_local)
    key = np.dtype(dtype).name
    if key not in buffers or buffers[key].size < count:
        buffers[key] = np.empty(count, dtype)
    return buffers[key][:count].reshape(shape)


def scratch_parts(shapes: Sequence[tuple[int, ...]], dtype: np.dtype) -> list[np.ndarray]:
    """Several such arrays at once, one behind the other."""
    ends = np.cumsum([np.prod(shape, dtype=np.int64) for shape in shapes])
    memory = scratch((int(ends[-1]),), dtype)
    starts = [0, *ends[:-1]]
    return [memory[start:end].reshape(shape) for start, end, shape in zip(starts, ends, shapes, strict=True)]


PAGE, LINE = (
    1024,
    16,
)  # float32s after which an address falls on the same place in a cache, and those of such a place


def apart(count: int) -> int:
    """At least so many float32s, in such a number that rows of them do not compete for the same places in a cache."""
    return -(-count // PAGE) * PAGE + 3 * LINE
