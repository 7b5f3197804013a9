"""What the benchmark prints and draws of its measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.cases import case as case_of

PEERS = ("torch", "onnxruntime")  # ratios are against these
WIDTH = 100


@dataclass
class Measured:
    """A case by a program with a number of threads: the milliseconds of all runs of all rounds."""

    case: str
    program: str
    threads: int
    ms: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    warm_s: float = math.inf  # from the start of a process to its first result, the least of all
    cold_s: float | None = None  # the same without compiled kernels
    output: list[float] | None = None
    layers: Any = None

    def add(self, result: dict[str, Any]) -> None:
        """What a process said."""
        self.ms += result["ms"]
        self.peak_mb = max(self.peak_mb, result["peak_mb"])
        self.warm_s = min(self.warm_s, result["first_s"])
        self.output = result["output"]
        self.layers = result.get("layers")

    @property
    def least(self) -> float:
        return min(self.ms)

    @property
    def median(self) -> float:
        return statistics.median(self.ms)

    def as_dict(self, all_of_them: Sequence[Measured]) -> dict[str, Any]:
        """For JSON: with ratios against others, one thread and the difference from the first program's output."""
        result = asdict(self)
        del result["output"]
        result |= {"min_ms": self.least, "median_ms": self.median, "title": case_of(self.case).title}
        alone = self._beside(all_of_them, self.program, 1)
        beside = {name: self._beside(all_of_them, name, self.threads) for name in PEERS}
        result["ratios"] = {
            name: {
                "min": self.least / peer.least,
                "median": self.median / peer.median,
                "peak": self.peak_mb / peer.peak_mb,
            }
            for name, peer in beside.items()
            if peer is not None
        }
        result["speedup"] = alone.least / self.least if alone else None
        result["difference"] = self._difference(all_of_them)
        return result

    def _beside(self, others: Sequence[Measured], program: str, threads: int) -> Measured | None:
        return next(
            (o for o in others if (o.case, o.program, o.threads) == (self.case, program, threads)), None
        )

    def _difference(self, others: Sequence[Measured]) -> float | None:
        """The largest difference from the first program's output, divided by that one's largest value."""
        first = next(o for o in others if o.case == self.case)
        if self.output is None or first.output is None:
            return None
        want, got = np.array(first.output), np.array(self.output)
        return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))


def as_json(measured: Sequence[Measured], machine: str, rounds: int, repeats: int) -> dict[str, Any]:
    """All that was measured, as what --json prints."""
    return {
        "machine": machine,
        "rounds": rounds,
        "repeats": repeats,
        "results": [one.as_dict(measured) for one in measured],
    }


COLUMNS = (
    *("", "threads", "min ms", "median ms", "peak MB", "warm s", "cold s"),
    *("/ torch", "peak", "/ onnx", "peak", "1 thread"),
)


def worst_first(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows, those of a case together; first the case whose first program is slowest beside another program."""
    cases: dict[str, list[dict[str, Any]]] = {}
    for row in report["results"]:
        cases.setdefault(row["case"], []).append(row)

    def slowness(rows: list[dict[str, Any]]) -> float:
        ours = [row["ratios"] for row in rows if row["program"] == rows[0]["program"]]
        return max((ratio["min"] for ratios in ours for ratio in ratios.values()), default=0)

    return [row for rows in sorted(cases.values(), key=slowness, reverse=True) for row in rows]


def table(report: dict[str, Any]) -> str:
    """The report as text of at most 100 columns: a head line for each case, a line for each program and threads."""
    lines: list[tuple[str, ...] | str] = [COLUMNS]
    case = None
    for row in worst_first(report):
        if row["case"] != case:
            case = row["case"]
            lines.append(f"{case}: {row['title']}")
        lines.append(
            (
                "  " + row["program"],
                str(row["threads"]),
                _milliseconds(row["min_ms"]),
                _milliseconds(row["median_ms"]),
                f"{row['peak_mb']:.0f}",
                _ratio(row["warm_s"]),
                _ratio(row["cold_s"]),
                *(_ratio(row["ratios"].get(peer, {}).get(key)) for peer in PEERS for key in ("min", "peak")),
                _ratio(row["speedup"], " x"),
            )
        )
    notes = [
        "/ torch, / onnx(runtime): of minima, and of peak memory, below 1 is faster; the worst case comes first",
        "warm, cold: from a process's start to its first result; 1 thread: how much faster than with one",
        f"{report['rounds']} rounds of {report['repeats']} in turn, each a process of its own",
        report["machine"],
    ]
    notes += [
        f"{row['case']}: {row['program']} differs by {row['difference']:.1e}"
        for row in report["results"]
        if (row["difference"] or 0) > 1e-3
    ]
    return "\n".join([_aligned(lines), *notes])


def _milliseconds(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:.2f}{unit}"


def _aligned(lines: Sequence[tuple[str, ...] | str]) -> str:
    rows = [line for line in lines if not isinstance(line, str)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    text = []
    for line in lines:
        if isinstance(line, str):
            text.append(line)
            continue
        cells = [c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def layer_table(row: dict[str, Any], torch: dict[str, float] | None) -> str:
    """The layers of a program of this project: milliseconds beside sgemm's bound, and torch's where there are."""
    head = ("layer", "type", "GF", "forward", "bound", *(("torch",) if torch else ()), "backward", "bound")
    lines: list[tuple[str, ...] | str] = [head]
    for layer in row["layers"]:
        lines.append(
            (
                layer["name"][:28],
                layer["type"][:14],
                _number(layer["forward_gflop"], 2),
                _number(layer["forward_ms"], 2),
                _number(layer["forward_bound_ms"], 2),
                *((_number(torch.get(layer["name"]), 2),) if torch else ()),
                _number(layer["backward_ms"], 2),
                _number(layer["backward_bound_ms"], 2),
            )
        )
    gflops = row["layers"][0]["sgemm_gflops"]
    who = f"{row['case']}, {row['program']}, {row['threads']} thread(s)"
    title = f"{who}, ms; bound: GF / {gflops:.0f} GFLOP/s of sgemm"
    return f"{title}\n{_aligned(lines)}"


def _number(value: float | None, digits: int) -> str:
    return "" if not value else f"{value:.{digits}f}"


def bars(report: dict[str, Any], path: Path) -> None:
    """Draw the median times, a group of bars for each case, in parts of the slowest of the group."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = report["results"]
    cases = list(dict.fromkeys(row["case"] for row in rows))
    series = list(dict.fromkeys((row["program"], row["threads"]) for row in rows))
    several = len({threads for _, threads in series}) > 1
    figure, axes = pyplot.subplots(figsize=(9, 1 + 0.24 * (len(rows) + len(cases))))
    place, ticks = 0.0, []
    for case in cases:
        group = [row for row in rows if row["case"] == case]
        most = max(row["median_ms"] for row in group)
        for i, row in enumerate(group):
            key = (row["program"], row["threads"])
            axes.barh(
                place + i,
                row["median_ms"] / most,
                color=f"C{series.index(key) % 10}",
                label=f"{key[0]}, {key[1]} thread(s)" if several else key[0],
            )
            axes.text(
                row["median_ms"] / most + 0.01, place + i, f"{row['median_ms']:.1f} ms", va="center", size=7
            )
        ticks.append((place + (len(group) - 1) / 2, group[0]["title"]))
        place += len(group) + 1
    axes.set_yticks([t for t, _ in ticks], [text for _, text in ticks], size=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15)
    axes.set_xlabel("median time, in parts of the slowest program's")
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes.legend(
        unique.values(), unique.keys(), fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1), ncol=4
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130, bbox_inches="tight")
    pyplot.close(figure)
