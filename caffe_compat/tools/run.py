"""One run of a net, forward and backward, with what each layer took and gave: what run-prototxt shows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from caffe_compat.files import replacing
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.loss_warnings import LossWarnings
from caffe_compat.net import Net
from caffe_compat.nothing_learns import losses_without_weight, nothing_learns
from caffe_compat.prototxt.caffe_pb2 import Phase


@dataclass
class LayerRun:
    """A layer in a run. Shapes are of the last iteration, milliseconds the median over the iterations.

    backward_ms is None where backward did not run; then `reason` says why no gradient flows.
    """

    name: str
    type: str
    top_shapes: list[tuple[int, ...]]
    param_shapes: list[tuple[int, ...]]
    forward_ms: float
    backward_ms: float | None
    gradient: bool
    reason: str


@dataclass
class HardRois:
    """What a mining layer kept in the last iteration: how many of how many RoIs, and how many of each label."""

    layer: str
    rois: int
    kept: int
    labels: dict[int, int]


@dataclass
class RunReport:
    """A run. `losses` has a dict {blob name: loss} for each iteration; `weighted` their weighted sums;
    `warnings` says what is wrong with them."""

    net: str
    phase: str
    iterations: int
    layers: list[LayerRun] = field(default_factory=list)
    losses: list[dict[str, float]] = field(default_factory=list)
    weighted: list[float] = field(default_factory=list)
    outputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    hard_rois: list[HardRois] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict:
        """Only dicts, lists, strings and numbers: what --json prints."""
        return asdict(self)


class Clock:
    """Milliseconds between a net's before and after callbacks, a list for each layer, until `stop`.

    What layers take that run at once is the time of the main one among them.
    """

    def __init__(self, net: Net, on_layer: Callable[[str], None] = lambda name: None):
        self.forward: list[list[float]] = [[] for _ in net.layers]
        self.backward: list[list[float]] = [[] for _ in net.layers]
        self._net, self._on_layer, self._start = net, on_layer, 0.0
        whose = {group.last: group.main for group in net.engine.groups}
        whose |= {group.main: group.last for group in net.engine.groups}
        self._callbacks: dict[str, Callable[[int], None]] = {
            "before_forward": self._begin,
            "after_forward": lambda i: self._end(self.forward[whose.get(i, i)]),
            "before_backward": self._begin,
            "after_backward": lambda i: self._end(self.backward[i]),
        }
        for when, callback in self._callbacks.items():
            getattr(net, when)(callback)

    def stop(self) -> None:
        """Listen no longer."""
        for callback in self._callbacks.values():
            self._net.remove_callback(callback)

    def _begin(self, index: int) -> None:
        self._on_layer(self._net.layer_names[index])
        self._net.engine.wait()
        self._start = time.perf_counter()

    def _end(self, times: list[float]) -> None:
        self._net.engine.wait()
        times.append(1000 * (time.perf_counter() - self._start))


def run_net(net: Net, iterations: int = 1, on_layer: Callable[[str], None] = lambda name: None) -> RunReport:
    """Run a net forward and backward `iterations` times, its param diffs cleared before each.

    on_layer is called with a layer's name before that layer runs (for a progress bar): once forward, and once
    backward where backward runs it; `steps` says how often in all.
    """
    clock, wrong = Clock(net, on_layer), LossWarnings(net)
    report = RunReport(net.name, Phase.Name(net.phase), iterations)
    if losses_without_weight(net):  # any other net without a loss is meant to have none
        report.warnings += filter(None, [nothing_learns(net)])
    start = time.perf_counter()
    try:
        for _ in range(iterations):
            net.clear_param_diffs()
            report.weighted.append(net.forward_from_to())
            report.losses.append(dict(net.losses()))
            report.warnings += wrong()
            net.backward()
    finally:
        clock.stop()
    report.seconds = time.perf_counter() - start
    report.layers = [_layer_run(net, i, clock) for i in range(len(net.layers))]
    report.outputs = {name: net.blobs[name].shape for name in net.outputs}
    report.hard_rois = [
        _hard_rois(net, i, layer.selected)
        for i, layer in enumerate(net.layers)
        if isinstance(layer, HardRoIMining)
    ]
    return report


def steps(net: Net, iterations: int = 1) -> int:
    """How many layer calls `run_net` makes."""
    return iterations * (len(net.layers) + sum(plan.need_backward for plan in net.plan))


def _layer_run(net: Net, i: int, clock: Clock) -> LayerRun:
    plan, node = net.plan[i], net.graph.nodes[i]
    return LayerRun(
        name=node.param.name,
        type=node.param.type,
        top_shapes=[top.shape for top in net.tops[i]],
        param_shapes=[blob.shape for blob in net.layers[i].blobs],
        forward_ms=statistics.median(clock.forward[i]),
        backward_ms=statistics.median(clock.backward[i]) if clock.backward[i] else None,
        gradient=plan.need_backward,
        reason=plan.reason,
    )


def _hard_rois(net: Net, index: int, selected: np.ndarray) -> HardRois:
    labels = net.bottoms[index][3].data.reshape(-1)
    kept, counts = np.unique(labels[selected].astype(int), return_counts=True)
    by_label = {int(label): int(count) for label, count in zip(kept, counts, strict=True)}
    return HardRois(net.layer_names[index], len(labels), len(selected), by_label)


def dump(net: Net, path: str) -> None:
    """Write all blobs and params to an .npz: data:BLOB, diff:BLOB, param:LAYER:I, pdiff:LAYER:I.

    A diff is there where something wrote or read one.
    """
    arrays: dict[str, Any] = {}
    for name, blob in net.blobs.items():
        arrays[f"data:{name}"] = blob.data
        if blob.has_diff:
            arrays[f"diff:{name}"] = blob.diff
    for name, blobs in net.params.items():
        for j, blob in enumerate(blobs):
            arrays[f"param:{name}:{j}"] = blob.data
            if blob.has_diff:
                arrays[f"pdiff:{name}:{j}"] = blob.diff
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
