"""Why a layer differs from the reference: every hypothesis is checked, and only those that hold are causes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from caffe_compat.compare.distance import LEAST, distance
from caffe_compat.compare.gradient_flow import Place, explain
from caffe_compat.compare.hypotheses import hypotheses, other_weights
from caffe_compat.compare.layer_runner import LayerRunner
from caffe_compat.compare.prototxt_diff import SOLVERS, FieldDifference, Layers
from caffe_compat.compare.recompute import Hypothesis, LayerInputs, Recomputation, recomputation
from caffe_compat.compare.reference import Reference, Value
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.dropout import Dropout
from caffe_compat.net import Net


@dataclass
class Cause:
    """A hypothesis about the reference that holds.

    text: a sentence about the reference's layer `layer`. figures: how it was checked, with numbers.
    """

    layer: str
    text: str
    figures: str


@dataclass
class Diagnosis:
    """The causes of one difference, the most certain first, and how many hypotheses were tried."""

    causes: list[Cause]
    tried: int


@dataclass
class Context:
    """What a diagnosis draws on: the reference, the layers of its prototxt, and the params of other layers by name."""

    reference: Reference
    theirs: Layers
    settings: list[FieldDifference]
    weights: Callable[[], dict[str, list[np.ndarray]]]
    tolerance: float


def of_data(runner: LayerRunner, context: Context, i: int, j: int, value: Value) -> Diagnosis:
    """Why top j of layer i differs from `value`. To be called when layer i has just run forward."""
    error = distance(runner.net.tops[i][j].data, value).max_error
    again = recomputation(runner, context.reference, i)
    if again is None:
        return Diagnosis([], 0)
    diagnosis = Diagnosis([], 0)
    for k in reversed(again.layers):
        inputs = again.inputs(k, again.bottoms(k))
        for hypothesis in _hypotheses(runner, context, k, inputs):
            diagnosis.tried += 1
            result = _check(again, hypothesis, k, j, value)
            if result is not None and result.within(context.tolerance):
                figures = f"computed so, {result.of} agree to {result.max_error:.1e} (now {error:.1e})"
                diagnosis.causes.append(Cause(runner.net.layer_names[k], hypothesis.text, figures))
        diagnosis.causes += _dropout(runner, inputs, k, i, value)
    if not diagnosis.causes:
        diagnosis.causes += _factor(
            runner.net.layer_names[i], runner.net.tops[i][j].data, value, context.tolerance
        )
    return diagnosis


def _hypotheses(runner: LayerRunner, context: Context, k: int, inputs: LayerInputs) -> Iterator[Hypothesis]:
    name = runner.net.layer_names[k]
    said = _said(context, name)
    if said and name in context.theirs:
        change = partial(
            replace, param=context.theirs[name], params=_params(context.reference, name) or inputs.params
        )
        yield Hypothesis(f"its prototxt says so: {said}", change)
    yield from hypotheses(inputs, _draws_first(runner, k))
    others = {other: params for other, params in context.weights().items() if other != name}
    yield from other_weights(inputs, others)


def _params(reference: Reference, layer: str) -> list[np.ndarray]:
    """The params that the reference has for a layer, where it has them whole."""
    result: list[np.ndarray] = []
    while (value := reference.values.get(f"param:{layer}:{len(result)}")) is not None:
        if value.whole is None:
            return []
        result.append(value.whole)
    return result


def _said(context: Context, layer: str) -> str:
    """What the reference's prototxt says differently about a layer, as far as it changes its data."""
    return "; ".join(str(s) for s in context.settings if s.layer == layer and not s.field.startswith(SOLVERS))


def _draws_first(runner: LayerRunner, k: int) -> bool:
    """Whether no layer before this one has drawn random numbers."""
    first, now = runner.rng_before[0], runner.rng_before[min(k, len(runner.rng_before) - 1)]
    return first[1] == now[1] and np.array_equal(first[0], now[0])


def _check(again: Recomputation, hypothesis: Hypothesis, k: int, j: int, value: Value):
    """How far the tops are from the reference under this hypothesis; None where a layer cannot run so."""
    try:
        return distance(again.compute(hypothesis, k)[j], value)
    except (CaffeCompatError, ValueError, IndexError):
        return None


def _dropout(runner: LayerRunner, inputs: LayerInputs, k: int, i: int, value: Value) -> list[Cause]:
    """Whether the reference drops elements in the same way, but others."""
    layer = runner.net.layers[k]
    if not isinstance(layer, Dropout) or inputs.phase != TRAIN or k != i:
        return []
    x = inputs.bottoms[0]
    want = value.shaped(x.shape)
    if want is None or not x.any():
        return []
    kept = want != 0
    ratio = float(kept[x != 0].mean())
    expected = 1 - inputs.param.dropout_param.dropout_ratio
    top = x * kept * layer.scale
    if not distance(top, Value(whole=want)).within(1e-4) or abs(ratio - expected) > 4 / np.sqrt(x.size):
        return []
    text = "it drops other elements: another seed, other random draws before this layer, or a GPU"
    alike = _alike(runner, k, kept)
    figures = (
        f"it keeps {100 * ratio:.1f} % of what is not 0, scaled as here; {alike:.0f} % fall as they do here"
    )
    return [Cause(inputs.param.name, text, figures)]


def _alike(runner: LayerRunner, k: int, kept: np.ndarray) -> float:
    mine = runner.net.tops[k][0].data != 0
    return 100 * float((mine == kept).mean())


def _factor(layer: str, got: np.ndarray, value: Value, tolerance: float) -> list[Cause]:
    """Whether the reference is the same but for a factor."""
    want = value.shaped(got.shape)
    if want is None or got.size < 1 or not got.any() or not want.any():
        return []
    got64, want64 = got.astype(np.float64), want.astype(np.float64)
    factor = float((got64 * want64).sum() / (got64 * got64).sum())
    scaled = (got64 * factor).astype(np.float32)
    if (
        not np.isfinite(factor)
        or abs(factor - 1) < tolerance
        or not distance(scaled, value).within(tolerance)
    ):
        return []
    return [Cause(layer, f"it has {factor:.6g} times these values", f"so in all {got.size} of them")]


def of_gradient(
    runner: LayerRunner, context: Context, place: Place, got: np.ndarray, value: Value
) -> Diagnosis:
    """Why a gradient differs: the reference computes it and the net does not, or the other way round; or its factor."""
    layer = runner.net.layer_names[place[1]]
    flows = explain(runner, context.reference, place, context.theirs, context.settings)
    causes = [
        Cause(
            flow.layer or layer,
            flow.text,
            f"explains {flow.explained} of the {flow.of} places where gradient is on one side only",
        )
        for flow in flows
    ]
    return Diagnosis(causes or _factor(layer, got, value, context.tolerance), max(1, len(causes)))


def of_loss_weight(layer: str, got: np.ndarray, value: Value, tolerance: float) -> Diagnosis:
    """Why the diff of a loss differs."""
    return Diagnosis(_factor(layer, got, value, tolerance), 1)


def of_param(net: Net, layer: str, index: int, context: Context, value: Value) -> Diagnosis:
    """Why a param that was loaded differs from the reference's."""
    inputs = LayerInputs(
        net.layer_dict[layer].layer_param, net.phase, [], [blob.data for blob in net.params[layer]]
    )
    diagnosis = Diagnosis([], 0)
    others = {other: params for other, params in context.weights().items() if other != layer}
    for hypothesis in [*hypotheses(inputs, False), *other_weights(inputs, others)]:
        try:
            changed = hypothesis.change(inputs).params[index]
        except (ValueError, IndexError):
            continue
        if changed is inputs.params[index]:
            continue
        diagnosis.tried += 1
        result = distance(changed, value)
        if result.within(context.tolerance):
            figures = f"changed so, {result.of} agree to {result.max_error:.1e}"
            diagnosis.causes.append(Cause(layer, hypothesis.text, figures))
    if not diagnosis.causes:
        diagnosis.causes += _factor(layer, inputs.params[index], value, context.tolerance)
    return diagnosis


def of_input(layer: str, got: np.ndarray, value: Value, tolerance: float) -> Diagnosis:
    """Why the inputs that were given differ: channels the other way round, another mean, another scale."""
    want = value.shaped(got.shape)
    if want is None or got.ndim != 4:
        return Diagnosis([], 0)
    orders = {"": got}
    if got.shape[1] == 3:
        orders["has the three channels the other way round (BGR and RGB)"] = got[:, ::-1]
    causes = []
    for text, x in orders.items():
        scales, offsets = _fits(x, want)
        fitted = x * scales.reshape(1, -1, 1, 1) + offsets.reshape(1, -1, 1, 1)
        result = distance(fitted.astype(np.float32), value)
        if not result.within(tolerance):
            continue
        parts = [text] if text else []
        if np.abs(scales - 1).max() > tolerance:
            parts.append(f"is scaled by {_numbers(scales)}")
        if np.abs(offsets).max() > tolerance * max(np.abs(want).max(), LEAST):
            parts.append(f"has {_numbers(offsets)} added to the channels (the mean: {_numbers(-offsets)})")
        figures = f"changed so, all values agree to {result.max_error:.1e}"
        causes.append(Cause(layer, "its input " + ", and ".join(parts), figures))
    return Diagnosis(causes, len(orders))


def _fits(x: np.ndarray, want: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scale and the offset of each channel that bring x nearest to `want`."""
    a = x.astype(np.float64).swapaxes(0, 1).reshape(x.shape[1], -1)
    b = want.astype(np.float64).swapaxes(0, 1).reshape(x.shape[1], -1)
    da, db = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    spread = (da * da).sum(1)
    scales = np.where(spread > 0, (da * db).sum(1) / np.where(spread > 0, spread, 1), 1.0)
    return scales, b.mean(1) - scales * a.mean(1)


def _numbers(values: np.ndarray) -> str:
    rounded = [f"{value:.6g}" for value in values]
    return rounded[0] if len(set(rounded)) == 1 else ", ".join(rounded)
