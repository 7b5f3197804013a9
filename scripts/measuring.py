"""What the measuring scripts share: the machine in words, timing, and a table."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numba
import numpy as np

from caffe_compat import __version__


def machine() -> str:
    """On what a figure was measured: processor, threads, versions."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in (cpuinfo.read_text().splitlines() if cpuinfo.exists() else [])
        if line.startswith("model name")
    ]
    return (
        f"{names[0] if names else platform.processor() or platform.machine()}, {numba.get_num_threads()} threads; "
        f"caffe-compat {__version__}, numpy {np.__version__}, numba {numba.__version__}, "
        f"Python {platform.python_version()}"
    )


def alternate(repeats: int, **programs: Callable[[], object]) -> dict[str, list[float]]:
    """Seconds of each program, `repeats` times, in turn, after one run of each that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for i in range(repeats + 1):
        for name, program in programs.items():
            start = time.perf_counter()
            program()
            if i:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def in_process(script: str, *arguments: str) -> str:
    """The last line that a script prints in a process of its own, as peak memory needs it."""
    done = subprocess.run(
        [sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    if done.returncode:
        sys.exit(f"{Path(script).name} {' '.join(arguments)} failed")
    return done.stdout.splitlines()[-1]


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text, the first column to the left and the others to the right, and the machine below."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    print(title)
    for row in [columns, *rows]:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print(f"({machine()})")
