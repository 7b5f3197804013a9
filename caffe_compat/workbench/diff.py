"""Holds a net against a reference, layer by layer: data, then gradients, then gradients of params.

Each layer is fed with the reference's own bottoms (and backward with its tops' gradients) where the reference has them
whole, so that a difference shows at the layer that makes it. The net is also run on its own values, to show what the
differences add up to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import Phase
from caffe_compat.workbench import causes
from caffe_compat.workbench.bench import Bench
from caffe_compat.workbench.causes import Cause, Found, Known
from caffe_compat.workbench.compare import Distance, distance, in_words
from caffe_compat.workbench.flow import explain, place_of_param
from caffe_compat.workbench.reference import Reference, Value
from caffe_compat.workbench.settings import SOLVERS, Setting, compare_settings, reference_layers

DATA, GRADIENT, PARAM_GRADIENT, INPUT, PARAM = "data", "gradient", "param gradient", "input", "param"


@dataclass
class Row:
    """One array held against the reference.

    stage: input, param, data, gradient (at a bottom) or param gradient. blob: its name, or the index of a param.
    error: with the reference's bottoms. running: the largest error with the net's own values, None where that is the
    same computation. place: the place of the largest error, in words.
    """

    stage: str
    layer: str
    type: str
    blob: str
    shape: tuple[int, ...]
    error: Distance
    running: float | None
    place: str
    same: bool


@dataclass
class Divergence:
    """A row that differs, and why: the causes that hold, and how many guesses were tried."""

    row: int
    causes: list[Cause]
    tried: int


@dataclass
class Diff:
    """A net held against a reference. `ended`: the rows end with the first divergence, more may follow."""

    net: str
    against: str
    kind: str
    phase: str
    seed: int
    tolerance: float
    rows: list[Row] = field(default_factory=list)
    divergences: list[Divergence] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    drift: int | None = None  # the first row whose running value differs, where every layer alone agrees
    ended: bool = False

    @property
    def same(self) -> bool:
        solver = any(setting.field.startswith(SOLVERS) for setting in self.settings)
        return not self.divergences and self.drift is None and not solver

    def as_dict(self) -> dict[str, Any]:
        """Only dicts, lists, strings and numbers (None for those that are not finite): what --json prints."""
        return {"same": self.same, **_finite(asdict(self))}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _Differ:
    """Makes the rows of one Diff."""

    def __init__(self, bench: Bench, known: Known, meaning: str, result: Diff, go_on: bool):
        self.bench, self.net, self.reference = bench, bench.net, known.reference
        self.known, self.meaning, self.result, self.go_on = known, meaning, result, go_on
        self.running: dict[tuple[str, int, int], float] = {}
        self.rois = _roi_blobs(bench)
        self.has_whole = any(
            value.whole is not None and key.startswith("data") for key, value in self.reference.values.items()
        )

    # ---- the net on its own values ------------------------------------------------------------------------------
    def run(self) -> None:
        """Run forward and backward; keep the errors."""
        if not self.has_whole:
            return
        self.bench.rewind()
        for i in range(len(self.net.layers)):
            for j, blob in enumerate(self.bench.forward(i)):
                self._keep(DATA, i, j, blob.data, self.reference.data(self.bench.versions.tops[i][j]))
        if not self.reference.has_backward:
            return
        self.bench.seed_outputs()
        for i in reversed(range(len(self.net.layers))):
            for j, array in enumerate(self.bench.backward(i)):
                if self._is_comparable(i, j):
                    self._keep(GRADIENT, i, j, array, self.reference.diff(self.bench.versions.bottoms[i][j]))
        for n, array, value in self._param_gradients():
            self._keep(PARAM_GRADIENT, n, 0, array, value)

    def _keep(self, stage: str, i: int, j: int, array: np.ndarray, value: Value | None) -> None:
        if value is not None:
            self.running[stage, i, j] = distance(array, value).max_error

    # ---- each layer on the reference's values -------------------------------------------------------------------
    def inputs(self) -> None:
        """The inputs that were given, against those that the reference had."""
        for i in self.bench.sources:
            for version in self.bench.versions.tops[i]:
                value = self.reference.values.get(f"in:{version.blob}")
                got = self.bench.inputs.get(version.blob)
                if value is None or got is None or got is value.whole:
                    continue

                def why(layer=version.layer, got=got, value=value) -> Found:
                    return causes.of_input(layer, got, value, self.known.tolerance)

                self._row(INPUT, i, version.blob, got, value, None, why)

    def params(self) -> None:
        """The params that were loaded, against those of the reference."""
        for layer, blobs in self.net.params.items():
            i = self.net._layer_names.index(layer)
            for j, blob in enumerate(blobs):
                value = self.reference.param("param", [(layer, j)])
                if value is None:
                    continue

                def why(layer=layer, j=j, value=value) -> Found:
                    return causes.of_param(self.net, layer, j, self.known, value)

                self._row(PARAM, i, str(j), blob.data, value, None, why)

    def forward(self) -> None:
        self.bench.rewind()
        for i in range(len(self.net.layers)):
            self.bench.feed_bottoms(i, self.reference)
            for j, blob in enumerate(self.bench.forward(i)):
                version = self.bench.versions.tops[i][j]
                value = self.reference.data(version)
                if value is None or (i in self.bench.sources and version.blob in self.bench.inputs):
                    continue

                def why(i=i, j=j, blob=blob, value=value) -> Found:
                    error = distance(blob.data, value).max_error
                    return causes.of_data(self.bench, self.known, i, j, value, error)

                self._row(DATA, i, version.blob, blob.data, value, self.running.get((DATA, i, j)), why)
            if self.ends:
                return

    def backward(self) -> None:
        self.bench.seed_outputs()
        for i in reversed(range(len(self.net.layers))):
            self._loss_weights(i)
            self.bench.feed_backward(i, self.reference)
            for j, array in enumerate(self.bench.backward(i)):
                version = self.bench.versions.bottoms[i][j]
                value = self.reference.diff(version)
                if value is None or not self._is_comparable(i, j):
                    continue

                def why(i=i, j=j, array=array, value=value) -> Found:
                    return self._why_gradient(("bottom", i, j), self.net._layer_names[i], array, value)

                self._row(GRADIENT, i, version.blob, array, value, self.running.get((GRADIENT, i, j)), why)
            if self.ends:
                return
        for n, array, value in self._param_gradients():
            if value is None:
                continue
            uses = self.net.learnable[n].uses
            i, j = next(((i, j) for i, j in uses if self.net.plan[i].need_backward), uses[0])

            def why(uses=uses, i=i, array=array, value=value) -> Found:
                place = place_of_param(self.bench, uses)
                return self._why_gradient(place, self.net._layer_names[i], array, value)

            self._row(PARAM_GRADIENT, i, str(j), array, value, self.running.get((PARAM_GRADIENT, n, 0)), why)
            if self.ends:
                return

    def _loss_weights(self, i: int) -> None:
        """The diff of a loss is its weight."""
        for j, weight in enumerate(self.net.graph.nodes[i].loss_weights):
            version = self.bench.versions.tops[i][j]
            value = self.reference.diff(version) if weight else None
            if value is not None and value.whole is not None:
                array = self.net._tops[i][j].diff

                def why(layer=version.layer, array=array, value=value) -> Found:
                    return causes.of_gradient(layer, array, value, self.known.tolerance)

                self._row(GRADIENT, i, version.blob, array, value, None, why)

    def _why_gradient(self, place, layer: str, array: np.ndarray, value: Value) -> Found:
        found = [
            Cause(
                cause.layer or layer,
                cause.text,
                f"explains {cause.explained} of the {cause.of} places where gradient is on one side only",
            )
            for cause in explain(
                self.bench, self.reference, place, self.meaning, self.known.theirs, self.known.settings
            )
        ]
        if found:
            return Found(found, len(found))
        return causes.of_gradient(layer, array, value, self.known.tolerance)

    def _param_gradients(self) -> Iterator[tuple[int, np.ndarray, Value | None]]:
        """Number, gradient and the reference's for each param that is learnt, from the last layer to the first."""
        names = self.net._layer_names
        for n in reversed(range(len(self.net.learnable))):
            param = self.net.learnable[n]
            blob = self.net.param_blob(param)
            array = blob.diff if blob.has_diff else np.zeros(blob.shape, blob.dtype)
            yield n, array, self.reference.param("pdiff", [(names[i], j) for i, j in param.uses])

    def _is_comparable(self, i: int, j: int) -> bool:
        """Not where a gradient that nobody makes stands in the memory of another one."""
        node = self.net.graph.nodes[i]
        shared = node.bottoms[j] in node.tops or node.param.type in ("Reshape", "Flatten")
        return self.bench.flows(i, j) or not shared

    @property
    def ends(self) -> bool:
        return bool(self.result.divergences) and not self.go_on

    def _row(
        self,
        stage: str,
        i: int,
        blob: str,
        array: np.ndarray,
        value: Value,
        running: float | None,
        why: Callable[[], Found],
    ) -> None:
        if self.ends:
            self.result.ended = True
            return
        error = distance(array, value)
        node = self.net.graph.nodes[i].param
        is_param = stage in (PARAM, PARAM_GRADIENT)
        place = ""
        if error.index is not None:
            place = in_words(error.index, "param" if is_param else "data", blob in self.rois)
        same = error.within(self.known.tolerance)
        row = Row(stage, node.name, node.type, blob, array.shape, error, running, place, same)
        self.result.rows.append(row)
        if not same:
            found = why()
            self.result.divergences.append(Divergence(len(self.result.rows) - 1, found.causes, found.tried))

    def drift(self) -> None:
        """Where every layer alone agrees, and the running values do not."""
        rows = self.result.rows
        if not self.result.divergences:
            bad = (n for n, row in enumerate(rows) if (row.running or 0) > self.known.tolerance)
            self.result.drift = next(bad, None)


def _roi_blobs(bench: Bench) -> set[str]:
    """The blobs whose first axis counts RoIs: what comes out of ROIPooling, and the RoIs themselves."""
    result: set[int] = set()
    for node in bench.net.graph.nodes:
        if node.param.type == "ROIPooling":
            result.update([node.bottoms[1], *node.tops])
        elif node.param.type == "Python" or (node.bottoms[:1] and node.bottoms[0] in result):
            result.update(
                blob
                for blob in node.tops
                if node.param.type != "Python" or "roi" in bench.net._blob_names[blob]
            )
    return {bench.net._blob_names[blob] for blob in result}


def diff(
    bench: Bench,
    reference: Reference,
    weights: dict[str, list[np.ndarray]],
    tolerance: float,
    meaning: str,
    go_on: bool = False,
) -> Diff:
    """Hold a net, on the bench with its inputs and params, against a reference.

    weights: params by layer's name, among which a layer's may be that were loaded by a wrong name. meaning: of
    propagate_down in the net. go_on: do not end with the first divergence. Raises CaffeCompatError.
    """
    net = bench.net
    theirs = reference_layers(reference, net)
    settings = compare_settings(net, theirs)
    result = Diff(
        net.source.name if net.source else net.name,
        reference.name,
        reference.kind,
        Phase.Name(net.phase),
        bench.seed,
        tolerance,
        settings=settings,
    )
    known = Known(reference, theirs, settings, weights, tolerance)
    differ = _Differ(bench, known, meaning, result, go_on)
    differ.inputs()
    differ.params()
    if not differ.ends:
        differ.run()
        differ.forward()
        if reference.has_backward and not differ.ends:
            differ.backward()
        else:
            result.ended = result.ended or differ.ends
        differ.drift()
    return result
