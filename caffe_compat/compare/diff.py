"""Holds a net against a reference, layer by layer: data, then gradients, then gradients of params.

Each layer is fed with the reference's own bottoms (and backward with its tops' gradients) where the reference has them
whole, so that a difference shows at the layer that makes it. The net is also run on its own values, to show what the
differences add up to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from caffe_compat.compare import diagnosis
from caffe_compat.compare.diagnosis import Context, Diagnosis
from caffe_compat.compare.distance import distance, in_words
from caffe_compat.compare.gradient_flow import shares_diff
from caffe_compat.compare.layer_runner import LayerRunner
from caffe_compat.compare.prototxt_diff import compare_settings, reference_layers
from caffe_compat.compare.reference import Reference, Value
from caffe_compat.compare.result import (
    DATA,
    GRADIENT,
    INPUT,
    PARAM,
    PARAM_GRADIENT,
    Diff,
    Divergence,
    Row,
)
from caffe_compat.prototxt.caffe_pb2 import Phase

Why = Callable[[], Diagnosis]
OnRow = Callable[[np.ndarray, Value], None]
Key = tuple[str, int, int]  # stage, number of the layer (of the param, for its gradient), number of the blob


def diff(
    runner: LayerRunner,
    reference: Reference,
    weights: Callable[[], dict[str, list[np.ndarray]]],
    tolerance: float,
    keep_going: bool = False,
    on_row: OnRow = lambda array, value: None,
) -> Diff:
    """Compare a net, which the runner holds with its inputs and params, with a reference.

    weights: returns the params of all layers, by the name of the layer: where something differs, a layer may have
    loaded those of another one.
    keep_going: do not stop at the first divergence. on_row: called for each row with the array of this net and the
    value of the reference. Raises CaffeCompatError.
    """
    net = runner.net
    theirs = reference_layers(reference, net)
    result = Diff(
        net=net.source.name if net.source else net.name,
        against=reference.name,
        kind=reference.kind,
        phase=Phase.Name(net.phase),
        seed=runner.seed,
        tolerance=tolerance,
        settings=compare_settings(net, theirs),
    )
    context = Context(reference, theirs, result.settings, weights, tolerance)
    try:
        _Walk(runner, context, result, keep_going, on_row).all()
    except _Ended:
        result.ended = True
    return result


class _Ended(Exception):  # noqa: N818
    """The first divergence was found, and is all that was asked for."""


class _Walk:
    """Goes through a net and makes the rows of a Diff."""

    def __init__(self, runner: LayerRunner, context: Context, result: Diff, keep_going: bool, on_row: OnRow):
        self.runner, self.net, self.reference = runner, runner.net, context.reference
        self.context, self.result, self.keep_going, self.on_row = context, result, keep_going, on_row
        self.running: dict[Key, float] = {}

    def all(self) -> None:
        self.inputs()
        self.params(of_its_shape=True)
        self.run()
        self.forward()
        self.params(of_its_shape=False)  # after the layer below that may be why
        if self.reference.has_backward:
            self.backward()
            self.param_gradients()
        if not self.result.divergences:
            far = (n for n, row in enumerate(self.result.rows) if (row.running or 0) > self.context.tolerance)
            self.result.drift = next(far, None)

    # ---- the net on its own values ------------------------------------------------------------------------------
    def run(self) -> None:
        """Run forward and backward on the net's own values; keep the errors."""
        if not self.reference.has_whole_data:
            return  # no layer can be fed with anything else: it would be the same again
        runner, count = self.runner, len(self.net.layers)
        runner.rewind()
        for i in range(count):
            for j, blob in enumerate(runner.forward(i)):
                self._keep((DATA, i, j), blob.data, self.reference.data(runner.versions.tops[i][j]))
        if not self.reference.has_backward:
            return
        runner.seed_outputs()
        for i in reversed(range(count)):
            for j, array in enumerate(runner.backward(i)):
                self._keep((GRADIENT, i, j), array, self.reference.diff(runner.versions.bottoms[i][j]))
        for n, array, value in self._param_gradients():
            self._keep((PARAM_GRADIENT, n, 0), array, value)

    def _keep(self, key: Key, array: np.ndarray, value: Value | None) -> None:
        if value is not None:
            self.running[key] = distance(array, value).max_error

    # ---- what goes in -------------------------------------------------------------------------------------------
    def inputs(self) -> None:
        """The inputs that were given, against those that the reference had."""
        for i in self.runner.sources:
            for version in self.runner.versions.tops[i]:
                value = self.reference.values.get(f"in:{version.blob}") or self.reference.data(version)
                got = self.runner.inputs.get(version.blob)
                if value is not None and got is not None and got is not value.whole:
                    why = partial(diagnosis.of_input, version.layer, got, value, self.context.tolerance)
                    self._row((INPUT, i, 0), version.blob, got, value, why)

    def params(self, of_its_shape: bool) -> None:
        """The params that were loaded, against those of the reference: those that have its shape, or the others."""
        for param in self.net.learnable:
            value = self.reference.param("param", self._names(param.uses))
            if value is not None and of_its_shape == value.may_have(self.net.param_blob(param).shape):
                i, j = param.uses[0]
                layer = self.net.layer_names[i]
                why = partial(diagnosis.of_param, self.net, layer, j, self.context, value)
                self._row((PARAM, i, j), str(j), self.net.param_blob(param).data, value, why)

    # ---- each layer on the reference's values -------------------------------------------------------------------
    def forward(self) -> None:
        runner = self.runner
        runner.rewind()
        for i in range(len(self.net.layers)):
            runner.feed_bottoms(i, self.reference)
            for j, blob in enumerate(runner.forward(i)):
                version = runner.versions.tops[i][j]
                value = self.reference.data(version)
                if value is not None and not (i in runner.sources and version.blob in runner.inputs):
                    why = partial(diagnosis.of_data, runner, self.context, i, j, value)
                    self._row((DATA, i, j), version.blob, blob.data, value, why)

    def backward(self) -> None:
        runner = self.runner
        runner.seed_outputs()
        for i in reversed(range(len(self.net.layers))):
            self._loss_weights(i)
            runner.feed_backward(i, self.reference)
            for j, array in enumerate(runner.backward(i)):
                version = runner.versions.bottoms[i][j]
                value = self.reference.diff(version)
                if value is not None and self._is_comparable(i, j):
                    why = partial(diagnosis.of_gradient, runner, self.context, ("bottom", i, j), array, value)
                    self._row((GRADIENT, i, j), version.blob, array, value, why, runner.flows(i, j))

    def _loss_weights(self, i: int) -> None:
        """The diff of a loss is its weight."""
        for j, weight in enumerate(self.net.graph.nodes[i].loss_weights):
            version = self.runner.versions.tops[i][j]
            value = self.reference.diff(version) if weight else None
            if value is not None and value.whole is not None:
                array = self.net.tops[i][j].diff
                why = partial(diagnosis.of_loss_weight, version.layer, array, value, self.context.tolerance)
                self._row((GRADIENT, i, -1), version.blob, array, value, why)

    def _is_comparable(self, i: int, j: int) -> bool:
        """Not where a gradient that nobody computes stands in the memory of another one."""
        return self.runner.flows(i, j) or not shares_diff(self.net, i, j)

    def param_gradients(self) -> None:
        for n, array, value in self._param_gradients():
            if value is not None:
                uses = self.net.learnable[n].uses
                learning = [(i, j) for i, j in uses if self.net.plan[i].need_backward]
                i, j = (learning or uses)[0]
                why = partial(
                    diagnosis.of_gradient, self.runner, self.context, ("param", *uses[0]), array, value
                )
                self._row((PARAM_GRADIENT, i, j), str(j), array, value, why, bool(learning), n)

    def _param_gradients(self) -> Iterator[tuple[int, np.ndarray, Value | None]]:
        """Number, gradient and the reference's for each param that is learnt, from the last to the first."""
        for n in reversed(range(len(self.net.learnable))):
            param = self.net.learnable[n]
            blob = self.net.param_blob(param)
            array = blob.diff if blob.has_diff else np.zeros(blob.shape, blob.dtype)
            yield n, array, self.reference.param("pdiff", self._names(param.uses))

    def _names(self, uses: list[tuple[int, int]]) -> list[tuple[str, int]]:
        return [(self.net.layer_names[i], j) for i, j in uses]

    def _row(
        self,
        key: Key,
        blob: str,
        array: np.ndarray,
        value: Value,
        why: Why,
        flows=True,
        number: int | None = None,
    ) -> None:
        stage, i, _ = key
        error = distance(array, value)
        node = self.net.graph.nodes[i].param
        place = ""
        if error.index is not None:
            is_param = stage in (PARAM, PARAM_GRADIENT)
            place = in_words(error.index, "param" if is_param else "data", self._counts_rois(array))
        running = self.running.get((stage, number, 0) if number is not None else key)
        same = error.within(self.context.tolerance)
        self.result.rows.append(
            Row(stage, node.name, node.type, blob, array.shape, error, running, place, same, flows)
        )
        self.on_row(array, value)
        if not same:
            found = why()
            self.result.divergences.append(Divergence(len(self.result.rows) - 1, found.causes, found.tried))
            if not self.keep_going:
                raise _Ended

    def _counts_rois(self, array: np.ndarray) -> bool:
        """Whether the first axis has as many elements as there are RoIs, and is no batch of images."""
        rois = {
            len(blob.data)
            for name, blob in self.net.blobs.items()
            if "rois" in name and blob.shape[1:] == (5,)
        }
        return array.ndim > 0 and len(array) in rois
