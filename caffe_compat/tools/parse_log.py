"""Tables of a training log, of this project's or of the original Caffe's."""

from __future__ import annotations

import csv
import datetime
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from caffe_compat.errors import DataError
from caffe_compat.files import replacing
from caffe_compat.glog import ITERATION, OUTPUT, PREFIX, RATE, TESTING, log_lines

Row = dict[str, float]


@dataclass
class Log:
    """Rows of columns NumIters, Seconds (since the line "Solving ..."), LearningRate, and one a net's output.

    LearningRate is the one that was logged last before the outputs, as Caffe's parse_log.py has it. Rows of test
    nets have TestNet where there are several.
    """

    train: list[Row] = field(default_factory=list)
    test: list[Row] = field(default_factory=list)


def parse_log(path: str) -> Log:
    """Read a log. Raises DataError where it cannot be read or has no lines of a solver."""
    lines = list(log_lines(path))
    log = _Parser(datetime.datetime.fromtimestamp(os.path.getctime(path)).year).parse(lines)
    if log is None:
        raise DataError(
            "there is no line 'Iteration N' with glog's prefix in it; expected a log of training", file=path
        )
    return log


class _Parser:
    def __init__(self, year: int):
        self.year = year
        self.log = Log()
        self.start: datetime.datetime | None = None
        self.last: datetime.datetime | None = None
        self.iteration: int | None = None
        self.rate = float("nan")
        self.net = 0
        self.number = {"Train": -1, "Test": -1}  # of the output that came last

    def parse(self, lines: Iterable[str]) -> Log | None:
        for line in lines:
            match = PREFIX.match(line)
            when = self._when(match) if match else None
            if match and when:
                self._line(line[match.end() :], when)
        if self.iteration is None:
            return None
        for rows in (self.log.train, self.log.test):
            if len(rows) > 1:  # the first row comes before the first rate
                rows[0]["LearningRate"] = rows[1]["LearningRate"]
        if not any(row["TestNet"] for row in self.log.test):
            for row in self.log.test:
                del row["TestNet"]
        return self.log

    def _when(self, match: re.Match[str]) -> datetime.datetime | None:
        """The time of a line, years counted from the month; None where there is no such time."""
        parts = [int(match[name]) for name in ("month", "day", "hour", "minute", "second", "micro")]
        year = int(match["year"]) if match["year"] else self.year
        try:
            when = datetime.datetime(year, *parts)  # type: ignore[arg-type]
            if self.last is not None and not match["year"] and when.month < self.last.month:
                self.year += 1
                when = when.replace(year=self.year)
        except ValueError:
            return None
        self.last = when
        return when

    def _line(self, text: str, when: datetime.datetime) -> None:
        if self.start is None or (self.iteration is None and "Solving" in text):
            self.start = when
        if match := ITERATION.search(text):
            self.iteration = int(match[1])
        if self.iteration is None:
            return
        if match := RATE.search(text):
            self.rate = _number(match[1], self.rate)
        if match := TESTING.search(text):
            self.net = int(match[1])
        if match := OUTPUT.search(text):
            kind, number, name, value = match.groups()
            self._output(
                kind, int(number), name, _number(value, float("nan")), (when - self.start).total_seconds()
            )

    def _output(self, kind: str, number: int, name: str, value: float, seconds: float) -> None:
        """Add a value to the row that it continues, or begin one."""
        rows = self.log.train if kind == "Train" else self.log.test
        if not rows or number <= self.number[kind] or rows[-1]["NumIters"] != self.iteration:
            assert self.iteration is not None
            rows.append({"NumIters": float(self.iteration), "Seconds": seconds, "LearningRate": self.rate})
            if kind == "Test":
                rows[-1]["TestNet"] = float(self.net)
        self.number[kind] = number
        rows[-1][name if name not in rows[-1] else f"{name}#{number}"] = value


def _number(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise


def write_csv(rows: list[Row], path: str, delimiter: str = ",") -> None:
    """Write rows with the columns of all of them, in the order in which they come."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
