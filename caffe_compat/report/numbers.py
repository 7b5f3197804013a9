"""What a page shows, as plain numbers: made by collect.py, turned into HTML by page.py."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from caffe_compat.compare.reference import Value
from caffe_compat.compare.result import Diff
from caffe_compat.report.hard_rois import Mined
from caffe_compat.report.histogram import Histogram
from caffe_compat.solvers import Iteration


@dataclass
class ArrayNumbers:
    """A top or a param: its data, and its gradient where there is one. note: what else is to be said of it."""

    name: str
    shape: tuple[int, ...]
    note: str = ""
    data: Histogram | None = None
    diff: Histogram | None = None


@dataclass
class LayerNumbers:
    """A layer.

    text: its prototxt, `place` the file and line of it, story: lines on its gradient and params, indented (all three
    say nothing of a Split). Milliseconds are the median over the
    iterations, None where it did not run; `reason` says why it takes no part in the backward pass. bytes: of the data
    and gradients of its tops and params, without what an earlier layer has, and what the layer keeps for itself. step:
    the last of the layers that run forward at once with it, whose time has all of them; empty where it is that one.
    """

    name: str
    type: str
    text: str
    place: str
    bottoms: list[str]
    tops: list[ArrayNumbers]
    params: list[ArrayNumbers]
    reason: str
    story: list[str]
    bytes: int = 0
    forward_ms: float | None = None
    backward_ms: float | None = None
    step: str = ""


@dataclass
class Compared:
    """What the two sides of a row of a Diff hold; `there` is None where the reference does not have all of it."""

    here: Histogram
    there: Histogram | None

    @classmethod
    def of(cls, array: np.ndarray, value: Value) -> Compared:
        there = None if value.whole is None else Histogram.of(value.whole)
        return cls(Histogram.of(array), there)


@dataclass
class Report:
    """A net that was not run ("net"), a run ("run"), a training ("training") or a comparison ("diff") of one.

    facts: pairs of a label and a value, the most important first. notes: sentences. A training has a `curve`; a
    comparison a `diff`, and as many `compared` as that has rows. graph: the net as SVG, whose layers have the attribute
    data-layer.
    """

    kind: str
    title: str
    file: str
    facts: list[tuple[str, str]]
    notes: list[str]
    graph: str
    layers: list[LayerNumbers]
    mined: list[Mined] = field(default_factory=list)
    curve: list[Iteration] = field(default_factory=list)
    diff: Diff | None = None
    compared: list[Compared] = field(default_factory=list)
