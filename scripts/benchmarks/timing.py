"""What each program of the benchmark does in its process: time a function, and print one JSON line."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any

STARTED = "CAFFE_COMPAT_BENCHMARK_STARTED"  # the environment's variable with time.monotonic() of the process's start


def measure(function: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Milliseconds of each of `repeats` calls after one that does not count, and the peak memory of the process.

    first_s: seconds from the start of the process to the end of that first call.
    """
    function()
    first = time.monotonic() - float(os.environ[STARTED])
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"ms": times, "first_s": first, "peak_mb": peak}


def say(result: dict[str, Any], output: Sequence[float] | None = None) -> None:
    """Print a result as the last line; `output` has some numbers that all programs should agree on."""
    print(json.dumps({**result, "output": None if output is None else [float(value) for value in output]}))
