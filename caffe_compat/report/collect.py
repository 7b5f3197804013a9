"""Collects the numbers of a page: from a net as it stands, while it runs and after, from training or comparing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.compare.result import Diff
from caffe_compat.drawing.picture import svg
from caffe_compat.explain.describe import describe_layer, describe_net
from caffe_compat.explain.explanation import Explanation, explain
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, Phase
from caffe_compat.prototxt.writer import net_text
from caffe_compat.report.hard_rois import mined
from caffe_compat.report.histogram import Histogram
from caffe_compat.report.mining_log import Period
from caffe_compat.report.numbers import ArrayNumbers, Compared, LayerNumbers, Report
from caffe_compat.solvers import Iteration
from caffe_compat.tools.run import RunReport

PIXEL_MEANS = Config().PIXEL_MEANS


class BlobHistograms:
    """Histograms of the tops of each layer and of their gradients, taken while a net runs.

    They are taken then because a later layer may change a blob in place. Make the object before the clock that times
    the run: callbacks are called in the order in which they were added, so the clock does not count these.

    passes: how many times the net will run; only the last pass is looked at. Call `stop` when it is over.

    Attributes:
        data, diff   one list a layer, one Histogram a top; in diff None for a top without gradient
        made         ids of blobs that the engine leaves out of a run (LayerGroup.hidden), computed for their histogram
    """

    def __init__(self, net: Net, passes: int = 1):
        self.net, self._passes = net, passes
        self.data: list[list[Histogram]] = [[] for _ in net.layers]
        self.diff: list[list[Histogram | None]] = [[] for _ in net.layers]
        self.made: set[int] = set()
        self._hidden = {blob for group in net.engine.groups for blob in group.hidden}
        net.before_forward(self._before_forward)
        net.before_backward(self._before_backward)

    def stop(self) -> None:
        self.net.remove_callback(self._before_forward)
        self.net.remove_callback(self._before_backward)
        if self.net.layers:
            self._take_data(len(self.net.layers) - 1)

    def _before_forward(self, index: int) -> None:
        self._passes -= index == 0
        if not self._passes and index:
            self._take_data(index - 1)

    def _take_data(self, index: int) -> None:
        self.made.update(self._hidden.intersection(self.net.graph.nodes[index].tops))
        self.data[index] = [Histogram.of(top.data) for top in self.net.tops[index]]

    def _before_backward(self, index: int) -> None:
        if not self._passes:
            self.diff[index] = [_diff(top) for top in self.net.tops[index]]


def of_net(net: Net, explanation: Explanation) -> Report:
    """The page of a net that nobody has run: its picture, and what `explain` says of it."""
    layers = [layer for layer in _layers(net, explanation) if layer.story]  # no Splits, as in the picture
    return Report(
        kind="net",
        title=explanation.name or explanation.file,
        file=explanation.file,
        facts=[*_sizes(net, layers), ("propagate_down", explanation.meaning)],
        notes=describe_net(explanation),
        graph=svg(explanation),
        layers=layers,
    )


def of_run(
    file: str,
    net: Net,
    run: RunReport,
    histograms: BlobHistograms,
    notes: Sequence[str] = (),
    pixel_means: Sequence[float] = PIXEL_MEANS,
    classes: Sequence[str] | None = None,
) -> Report:
    """The page of a run of a net. histograms: made before the run, and stopped. classes: see `hard_rois.mined`."""
    explanation = explain(net)
    layers = _layers(net, explanation)
    _add_bytes(net, layers, histograms.made)
    _add_histograms(net, layers)
    for i, (layer, ran) in enumerate(zip(layers, run.layers, strict=True)):
        layer.forward_ms, layer.backward_ms = ran.forward_ms, ran.backward_ms
        layer.step = _step(net, i)
        for j, top in enumerate(layer.tops):
            top.data, top.diff = histograms.data[i][j], histograms.diff[i][j] if histograms.diff[i] else None
            if net.graph.nodes[i].tops[j] in histograms.made:
                top.note = "A run does not make it; it was made for this page, and is not in the memory."
    forward = sum(layer.forward_ms or 0 for layer in layers)
    backward = sum(layer.backward_ms or 0 for layer in layers)
    losses = list(run.losses[-1].items()) if run.losses else []
    cards = [(name, f"{value:.6g}") for name, value in losses]
    if losses:
        cards.append(("loss, weighted", f"{run.weighted[-1]:.6g}"))
    cards += [
        ("forward", f"{forward:.0f} ms"),
        ("backward", f"{backward:.0f} ms"),
        ("blobs and params", f"{sum(layer.bytes for layer in layers) / 1e6:.0f} MB"),
        ("peak memory of the process", f"{_peak() / 1e6:.0f} MB"),
        *_sizes(net, layers),
    ]
    warnings = [f"warning: {text}" for text in run.warnings]
    return Report(
        kind="run",
        title=net.name or file,
        file=file,
        facts=cards,
        notes=[*notes, *warnings],
        graph=svg(explanation),
        layers=layers,
        mined=mined(net, pixel_means, classes),
    )


def of_training(page: Report, iterations: Sequence[Iteration], mining: Sequence[Period] = ()) -> Report:
    """The page of a training, made from the page of a run of its net after it, which is changed. mining: see
    MiningLog."""
    page.kind, page.curve, page.mining = "training", list(iterations), list(mining)
    if iterations:
        last = iterations[-1]
        seconds = sum(one.seconds for one in iterations)
        page.facts = [
            ("iterations", str(last.iter + 1)),
            ("loss at the end, averaged", f"{last.smoothed_loss:.6g}"),
            ("seconds an iteration", f"{seconds / len(iterations):.3g}"),
            *page.facts,
        ]
    page.notes.append("Numbers of layers and RoIs are of one more pass after the training.")
    return page


def of_diff(net: Net, result: Diff, compared: list[Compared]) -> Report:
    """The page of a comparison. compared: one a row of the result, from what `diff` gave its on_row."""
    explanation = explain(net)
    layers = _layers(net, explanation)
    _add_histograms(net, layers)
    verdict = "the same" if result.same else "different"
    cards = [
        ("verdict", verdict),
        ("compared", str(len(result.rows))),
        ("that differ", str(len(result.divergences))),
        ("tolerance", f"{result.tolerance:g}"),
        ("phase", result.phase),
        ("seed", str(result.seed)),
    ]
    return Report(
        kind="diff",
        title=net.name or result.net,
        file=result.net,
        facts=cards,
        notes=[f"Against {result.against} ({result.kind})."],
        graph=svg(explanation),
        layers=layers,
        diff=result,
        compared=compared,
    )


def _sizes(net: Net, layers: Sequence[LayerNumbers]) -> list[tuple[str, str]]:
    params = sum(net.param_blob(param).count for param in net.learnable)
    return [("params", f"{params:,}"), ("layers", str(len(layers))), ("phase", Phase.Name(net.phase))]


def _peak() -> int:
    """The peak memory of this process, in bytes."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _layers(net: Net, explanation: Explanation) -> list[LayerNumbers]:
    """All layers as they stand, without numbers of a run."""
    known = {layer.name: layer for layer in explanation.layers}
    result = []
    for i, node in enumerate(net.graph.nodes):
        layer = known.get(node.param.name)  # none for a Split
        bottoms = [b.blob for b in layer.bottoms] if layer else [net.blob_names[b] for b in node.bottoms]
        result.append(
            LayerNumbers(
                name=node.param.name,
                type=node.param.type,
                text=_text(node.param, bottoms),
                place=_place(net, node.param.name),
                bottoms=bottoms,
                tops=[ArrayNumbers(net.blob_names[b], net.blob_list[b].shape) for b in node.tops],
                params=[ArrayNumbers(str(j), blob.shape) for j, blob in enumerate(net.layers[i].blobs)],
                reason=layer.reason if layer else net.plan[i].reason,
                story=[line[2:] for line in describe_layer(explanation, layer)[1:]] if layer else [],
            )
        )
    for param in net.learnable:
        rates = f"lr_mult {param.lr_mult.value:g}, decay_mult {param.decay_mult.value:g}"
        names = [net.layer_names[i] for i, _ in param.uses]
        for i, j in param.uses:
            others = ", ".join(name for name in names if name != net.layer_names[i])
            result[i].params[j].note = rates + (f"; shared with {others}" if others else "")
    return result


def _add_histograms(net: Net, layers: Sequence[LayerNumbers]) -> None:
    """Add those of the params."""
    for param in net.learnable:
        blob = net.param_blob(param)
        data, diff = Histogram.of(blob.data), _diff(blob)
        for i, j in param.uses:
            layers[i].params[j].data, layers[i].params[j].diff = data, diff


def _add_bytes(net: Net, layers: Sequence[LayerNumbers], made: set[int]) -> None:
    """made: blobs whose data takes no memory in a run."""
    counted = {id(net.blob_list[i].shared_data) for i in made}
    for i, layer in enumerate(layers):
        layer.bytes = sum(_bytes(blob, counted) for blob in [*net.tops[i], *net.layers[i].blobs])


def _diff(blob: Blob) -> Histogram | None:
    return Histogram.of(blob.diff) if blob.has_diff else None


def _bytes(blob: Blob, counted: set[int]) -> int:
    """The bytes that a blob's data and diff take, without memory that is in `counted` already; adds theirs there."""
    new = {key: size for key, size in blob.allocated().items() if key not in counted}
    counted.update(new)
    return sum(new.values())


def _step(net: Net, index: int) -> str:
    groups = (group for group in net.engine.groups if group.first <= index < group.last)
    return next((net.layer_names[group.last] for group in groups), "")


def _place(net: Net, layer: str) -> str:
    line = net.line(layer)
    return "" if net.source is None or line is None else f"{net.source.name}:{line}"


def _text(param: LayerParameter, bottoms: Sequence[str]) -> str:
    copy = LayerParameter()
    copy.CopyFrom(param)
    copy.bottom[:] = bottoms
    copy.ClearField("blobs")  # they may be large, and are no text of the user's
    return net_text(copy)
