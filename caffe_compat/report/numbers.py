"""The numbers that a page shows: collect.py makes them, page.py turns them into HTML."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from caffe_compat.compare.reference import Value
from caffe_compat.compare.result import Diff
from caffe_compat.report.hard_rois import Mined
from caffe_compat.report.histogram import Histogram
from caffe_compat.report.mining_log import Period
from caffe_compat.solvers import Iteration


@dataclass
class ArrayNumbers:
    """A top or a param: histograms of its data, and of its gradient where there is one. note: a remark, or empty."""

    name: str
    shape: tuple[int, ...] | None
    note: str = ""
    data: Histogram | None = None
    diff: Histogram | None = None


@dataclass
class LayerNumbers:
    """A layer.

    text: its prototxt; place: the file and the line of that; story: lines on its gradient and params, indented (all
    three are empty for a Split). forward_ms, backward_ms: the median
    over the iterations; None where it did not run. reason: why it takes no part in the backward pass; empty where it
    does. bytes: the memory of its tops and params with their gradients, without memory that an earlier layer has
    already and without buffers of its own. step: the last of the layers that run forward at once with it, whose time
    is that of all; empty where the layer is the last itself.
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
    """The values on the two sides of a row of a Diff; `there` is None where the reference has only a part of them."""

    here: Histogram
    there: Histogram | None

    @classmethod
    def of(cls, array: np.ndarray, value: Value) -> Compared:
        there = None if value.whole is None else Histogram.of(value.whole)
        return cls(Histogram.of(array), there)


@dataclass
class Report:
    """A net that was not run ("net"), a run ("run"), a training ("training") or a comparison ("diff") of one.

    facts: pairs of a label and a value, the most important first. notes: sentences. graph: the net as SVG, in which
    each layer has the attribute data-layer. mined: one for each layer that mines RoIs. curve: the iterations of a
    training; mining: what was mined in parts of it. diff: the result of a comparison; compared: one for each of its
    rows.
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
    mining: list[Period] = field(default_factory=list)
    diff: Diff | None = None
    compared: list[Compared] = field(default_factory=list)
