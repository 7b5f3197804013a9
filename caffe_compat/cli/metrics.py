"""Metrics of a training run, a row an iteration, to a CSV or JSON-lines file; and a picture of the loss."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict, fields
from typing import TextIO

from caffe_compat.errors import CaffeCompatError
from caffe_compat.files import check_writable, parse_json, replacing
from caffe_compat.solvers import Iteration

NAMES = [field.name for field in fields(Iteration)]


class Metrics:
    """Writes iterations to a file, each at once: .csv with a head, or .jsonl, an object a line.

    A resumed run goes on with the file: rows of iterations that are done again are left out of it first. Raises
    CaffeCompatError where the file is none of these.
    """

    def __init__(self, path: str, first: int):
        self._csv = path.endswith(".csv")
        kept = _rows_before(first, path, self._csv) if first else []
        with replacing(path) as temporary, open(temporary, "w", newline="") as file:
            if self._csv:
                csv.writer(file).writerow(NAMES)
            for row in kept:
                self._write(file, row)
        self._file = open(path, "a", newline="", buffering=1)  # noqa: SIM115  (open for the whole run)

    def __call__(self, done: Iteration) -> None:
        self._write(self._file, asdict(done))

    def _write(self, file: TextIO, row: dict) -> None:
        if self._csv:
            csv.writer(file).writerow([row[name] for name in NAMES])
        else:
            file.write(json.dumps(row) + "\n")


def _rows_before(first: int, path: str, is_csv: bool) -> list[dict]:
    """The rows of the iterations before `first`; none where there is no file."""
    if not os.path.exists(path):
        return []
    try:
        with open(path, newline="") as file:
            rows = csv.DictReader(file) if is_csv else map(parse_json, file)
            return [{name: row[name] for name in NAMES} for row in rows if int(row["iter"]) < first]
    except (csv.Error, KeyError, TypeError, ValueError, OverflowError) as error:
        raise CaffeCompatError(
            f"these are no metrics of a training to go on with ({error}); remove the file, or name another",
            file=path,
        ) from error


def check(path: str) -> None:
    """Raise CaffeCompatError where no metrics can be written there."""
    if not path.endswith((".csv", ".jsonl")):
        raise CaffeCompatError("metrics go to a .csv or a .jsonl file", file=path)
    check_writable(path)


def check_plot(path: str) -> None:
    """Raise CaffeCompatError where no picture can be drawn there: to know before the training, not after."""
    check_writable(path)
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise CaffeCompatError("--plot needs matplotlib: pip install 'caffe-compat[plot]'") from error


def plot(done: list[Iteration], path: str) -> None:
    """Draw the loss and its running mean over the iterations into a picture (PNG, SVG or PDF by the name)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    steps = [row.iter for row in done]
    axes.plot(steps, [row.loss for row in done], color="0.75", linewidth=0.8, label="loss")
    axes.plot(steps, [row.smoothed_loss for row in done], color="C0", label="average_loss")
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=os.path.splitext(path)[1].lstrip(".") or "png", dpi=120)
