"""What each program of the benchmark does in its process: time a function, and print one JSON line."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any


def measure(function: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Milliseconds of each of `repeats` calls after one that does not count, and the peak memory of the process."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return {"ms": times, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def say(result: dict[str, Any], output: Sequence[float] | None = None) -> None:
    """Print a result as the last line; `output` has some numbers that all programs should agree on."""
    print(json.dumps({**result, "output": None if output is None else [float(value) for value in output]}))
