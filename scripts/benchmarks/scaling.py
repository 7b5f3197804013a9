"""Time of the iteration over the number of RoIs, and over the size of the image, as a picture."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cases import PROGRAMS, RUNTIMES

ROIS = (300, 1000, 2000, 4000, 8000)
SIDES = (300, 450, 600, 900, 1200)  # the shorter side, pixels


def run(
    args: argparse.Namespace, start: Callable[..., dict], talk: Callable[[str], None], machine: str
) -> None:
    """Measure both series with each program, in turn, and draw them; prints the numbers."""
    programs = [p for p in args.programs or PROGRAMS if p not in RUNTIMES and PROGRAMS[p]()]
    result: dict[str, Any] = {"machine": machine, "threads": args.threads[0], "programs": programs}
    for option, values in (("rois", ROIS), ("side", SIDES)):
        times: dict[str, list[list[float]]] = {p: [[] for _ in values] for p in programs}
        for i in range(args.rounds):
            for j, value in enumerate(values):
                for program in programs:
                    talk(f"{option} {value}: {program}, round {i + 1} of {args.rounds}")
                    times[program][j] += start(
                        program, "W", args.threads[0], args, f"--{option}", str(value)
                    )["ms"]
        result[option] = {
            "values": values,
            "min_ms": {p: [min(ms) for ms in times[p]] for p in programs},
            "median_ms": {p: [statistics.median(ms) for ms in times[p]] for p in programs},
        }
    _draw(result, Path(args.scaling))
    print(json.dumps(result, indent=2) if args.json else _table(result))


def _table(result: dict[str, Any]) -> str:
    lines = []
    for option, title in (("rois", "RoIs, photo of 600 x 800"), ("side", "shorter side, 2000 RoIs")):
        series = result[option]
        lines.append(f"{title:28}" + "".join(f"{value:>10}" for value in series["values"]))
        for program, times in series["median_ms"].items():
            lines.append(f"  {program + ', median ms':26}" + "".join(f"{ms:10.0f}" for ms in times))
    return "\n".join([*lines, f"({result['machine']})"])


def _draw(result: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, both = pyplot.subplots(1, 2, figsize=(10, 3.8), sharey=True)
    names = (
        ("rois", "RoIs of a photo of 600 x 800"),
        ("side", "shorter side of the image, pixels (2000 RoIs)"),
    )
    for axes, (option, label) in zip(both, names, strict=True):
        for program, times in result[option]["median_ms"].items():
            axes.plot(result[option]["values"], [ms / 1000 for ms in times], "o-", label=program)
        axes.set_xlabel(label)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    both[0].set_ylabel(f"seconds an iteration, {result['threads']} thread(s)")
    both[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
