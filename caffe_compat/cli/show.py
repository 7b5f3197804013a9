"""Tables and lines that a run prints, legible in 100 columns."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from caffe_compat.cli.console import out
from caffe_compat.errors import WeightsError
from caffe_compat.text import dims, finite
from caffe_compat.tools.run import HardRois, LayerRun, RunReport
from caffe_compat.weights import Report


def weights(report: Report, quiet: bool = False) -> None:
    """What the net's params are: loaded, shared, filled or zero; and what of the file was not used.

    Raises WeightsError where nothing of a file fits: a run on it would be a mistake.
    """
    here = report.shared + report.filled + report.zero
    if report.file and here and not report.loaded:
        raise WeightsError(
            f"none of its layers ({', '.join(report.ignored)}) is in the net, whose layers with params are "
            f"{', '.join(here)}; are these the weights of another net?",
            file=report.file,
        )
    if quiet:
        return
    console = out()
    for label, names in (
        (f"loaded from {report.file}", report.loaded),
        ("shared with a loaded layer", report.shared),
        ("filled by fillers", report.filled),
        ("left at zero (no filler)", report.zero),
        ("in the file, not in the net", report.ignored),
    ):
        if names:
            console.print(f"params {label}: {', '.join(names)}", markup=False)


def notes(lines: Sequence[str]) -> None:
    """What the data layers and inputs are fed with."""
    for line in lines:
        out().print(line, markup=False)


def warnings(run: RunReport) -> None:
    """Say on stderr which losses are not finite, and what that or a loss of 87.3365 means."""
    for number, losses in enumerate(run.losses, 1):
        for name, value in losses.items():
            if not math.isfinite(value):
                print(f"warning: {name} is not finite in iteration {number}", file=sys.stderr)
    for text in run.warnings:
        print(f"warning: {text}", file=sys.stderr)


def as_json(file: str, notes: Sequence[str], params: Report, run: RunReport) -> dict:
    """A run for --json; numbers that are not finite, which JSON has not, are null."""
    return finite({"file": file, "data": notes, "params": asdict(params), **run.as_dict()})


def report(run: RunReport, classes: Sequence[str], table: bool = True) -> None:
    """The table of layers, the losses of each iteration, and what hard RoI mining kept, by the classes' names."""
    console = out()
    if table:
        console.print(_table(run.layers))
        forward = sum(layer.forward_ms for layer in run.layers)
        backward = sum(layer.backward_ms or 0 for layer in run.layers)
        console.print(f"forward {forward:.0f} ms, backward {backward:.0f} ms, {run.iterations} iteration(s)")
    for number, (losses, weighted) in enumerate(zip(run.losses, run.weighted, strict=True), 1):
        if losses:
            each = ", ".join(f"{name} = {value:.6g}" for name, value in losses.items())
            console.print(f"iteration {number}: {each}; loss = {weighted:.6g}", markup=False)
    if not any(run.losses):
        shapes = ", ".join(f"{name} {dims(shape)}" for name, shape in run.outputs.items())
        console.print(f"no losses; outputs: {shapes}", markup=False)
    for hard in run.hard_rois:
        console.print(_hard_rois(hard, classes), markup=False)


def _table(layers: Sequence[LayerRun]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("layer", max_width=24, overflow="fold")
    table.add_column("type", max_width=15, overflow="fold")
    table.add_column("tops", no_wrap=True)
    table.add_column("params", no_wrap=True)
    table.add_column("fwd ms", justify="right", no_wrap=True)
    table.add_column("bwd ms", justify="right", no_wrap=True)
    table.add_column("gradient", max_width=21)
    for layer in layers:
        table.add_row(
            layer.name,
            layer.type,
            "\n".join(dims(shape) for shape in layer.top_shapes),
            "\n".join(dims(shape) for shape in layer.param_shapes),
            f"{layer.forward_ms:.1f}",
            "" if layer.backward_ms is None else f"{layer.backward_ms:.1f}",
            "flows" if layer.gradient else layer.reason,
            style="" if layer.gradient else "dim",
        )
    return table


def _hard_rois(hard: HardRois, classes: Sequence[str]) -> str:
    counts = ", ".join(f"{_label(label, classes)} {count}" for label, count in sorted(hard.labels.items()))
    return f"{hard.layer}: kept {hard.kept} hard RoIs of {hard.rois}: {counts}"


def _label(label: int, classes: Sequence[str]) -> str:
    if label == 0:
        return "background"
    return classes[label] if label < len(classes) else f"class {label}"
