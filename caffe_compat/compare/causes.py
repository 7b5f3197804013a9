"""Why a layer differs from the reference: every guess is checked, and only those that hold are causes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from caffe_compat.compare.bench import Bench
from caffe_compat.compare.compare import LEAST, distance
from caffe_compat.compare.flow import Place, explain
from caffe_compat.compare.guesses import guesses, other_weights
from caffe_compat.compare.reference import Reference, Value
from caffe_compat.compare.settings import SOLVERS, Layers, Setting
from caffe_compat.compare.span import Guess, Span, Subject, span
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.base import TRAIN
from caffe_compat.net import Net


@dataclass
class Cause:
    """A guess about the reference that holds.

    text: a sentence about the reference's layer `layer`. figures: how it was checked, with numbers.
    """

    layer: str
    text: str
    figures: str


@dataclass
class Found:
    """The causes of one difference, the most certain first, and how many guesses were tried."""

    causes: list[Cause]
    tried: int


@dataclass
class Known:
    """What causes are looked for in: the reference, its prototxt's layers, and the params of other layers by name."""

    reference: Reference
    theirs: Layers
    settings: list[Setting]
    weights: dict[str, list[np.ndarray]]
    tolerance: float
    meaning: str  # of propagate_down in the net


def of_data(bench: Bench, known: Known, i: int, j: int, value: Value) -> Found:
    """Why top j of layer i differs from `value`. To be called when layer i has just run forward."""
    error = distance(bench.net.tops[i][j].data, value).max_error
    again = span(bench, known.reference, i)
    if again is None:
        return Found([], 0)
    found = Found([], 0)
    for k in reversed(again.layers):
        subject = again.subject(k, again.bottoms(k))
        for guess in _guesses(bench, known, k, subject):
            found.tried += 1
            result = _check(again, guess, k, j, value)
            if result is not None and result.within(known.tolerance):
                figures = f"computed so, {result.of} agree to {result.max_error:.1e} (now {error:.1e})"
                found.causes.append(Cause(bench.net.layer_names[k], guess.text, figures))
        found.causes += _dropout(bench, subject, k, i, value)
    if not found.causes:
        found.causes += _factor(bench.net.layer_names[i], bench.net.tops[i][j].data, value, known.tolerance)
    return found


def _guesses(bench: Bench, known: Known, k: int, subject: Subject) -> Iterator[Guess]:
    name = bench.net.layer_names[k]
    said = _said(known, name)
    if said and name in known.theirs:
        change = partial(
            replace, param=known.theirs[name], params=_params(known.reference, name) or subject.params
        )
        yield Guess(f"its prototxt says so: {said}", change)
    yield from guesses(subject, _draws_first(bench, k))
    others = {other: params for other, params in known.weights.items() if other != name}
    yield from other_weights(subject, others)


def _params(reference: Reference, layer: str) -> list[np.ndarray]:
    """The params that the reference has for a layer, where it has them whole."""
    result: list[np.ndarray] = []
    while (value := reference.values.get(f"param:{layer}:{len(result)}")) is not None:
        if value.whole is None:
            return []
        result.append(value.whole)
    return result


def _said(known: Known, layer: str) -> str:
    """What the reference's prototxt says differently about a layer, as far as it changes its data."""
    return "; ".join(str(s) for s in known.settings if s.layer == layer and not s.field.startswith(SOLVERS))


def _draws_first(bench: Bench, k: int) -> bool:
    """Whether no layer before this one has drawn random numbers."""
    first, now = bench.rng_before[0], bench.rng_before[min(k, len(bench.rng_before) - 1)]
    return first[1] == now[1] and np.array_equal(first[0], now[0])


def _check(again: Span, guess: Guess, k: int, j: int, value: Value):
    """How far the tops are from the reference under this guess; None where a layer cannot run so."""
    try:
        return distance(again.compute(guess, k)[j], value)
    except (CaffeCompatError, ValueError, IndexError):
        return None


def _dropout(bench: Bench, subject: Subject, k: int, i: int, value: Value) -> list[Cause]:
    """Whether the reference drops elements in the same way, but others."""
    if subject.param.type != "Dropout" or subject.phase != TRAIN or k != i:
        return []
    x = subject.bottoms[0]
    want = value.shaped(x.shape)
    if want is None or not x.any():
        return []
    kept = want != 0
    ratio = float(kept[x != 0].mean())
    expected = 1 - subject.param.dropout_param.dropout_ratio
    scale = bench.net.layers[k].scale  # type: ignore[attr-defined]
    top = x * kept * scale
    if not distance(top, Value(whole=want)).within(1e-4) or abs(ratio - expected) > 4 / np.sqrt(x.size):
        return []
    text = "it drops other elements: another seed, other random draws before this layer, or a GPU"
    alike = _alike(bench, k, kept)
    figures = (
        f"it keeps {100 * ratio:.1f} % of what is not 0, scaled as here; {alike:.0f} % fall as they do here"
    )
    return [Cause(subject.param.name, text, figures)]


def _alike(bench: Bench, k: int, kept: np.ndarray) -> float:
    mine = bench.net.tops[k][0].data != 0
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


def of_gradient(bench: Bench, known: Known, place: Place, got: np.ndarray, value: Value) -> Found:
    """Why a gradient differs: the reference computes it and the net does not, or the other way round; or its factor."""
    layer = bench.net.layer_names[place[1]]
    flows = explain(bench, known.reference, place, known.meaning, known.theirs, known.settings)
    found = [
        Cause(
            flow.layer or layer,
            flow.text,
            f"explains {flow.explained} of the {flow.of} places where gradient is on one side only",
        )
        for flow in flows
    ]
    return Found(found or _factor(layer, got, value, known.tolerance), max(1, len(found)))


def of_loss_weight(layer: str, got: np.ndarray, value: Value, tolerance: float) -> Found:
    """Why the diff of a loss differs."""
    return Found(_factor(layer, got, value, tolerance), 1)


def of_param(net: Net, layer: str, index: int, known: Known, value: Value) -> Found:
    """Why a param that was loaded differs from the reference's."""
    subject = Subject(
        net.layer_dict[layer].layer_param, net.phase, [], [blob.data for blob in net.params[layer]]
    )
    found = Found([], 0)
    others = {other: params for other, params in known.weights.items() if other != layer}
    for guess in [*guesses(subject, False), *other_weights(subject, others)]:
        try:
            changed = guess.change(subject).params[index]
        except (ValueError, IndexError):
            continue
        if changed is subject.params[index]:
            continue
        found.tried += 1
        result = distance(changed, value)
        if result.within(known.tolerance):
            figures = f"changed so, {result.of} agree to {result.max_error:.1e}"
            found.causes.append(Cause(layer, guess.text, figures))
    if not found.causes:
        found.causes += _factor(layer, subject.params[index], value, known.tolerance)
    return found


def of_input(layer: str, got: np.ndarray, value: Value, tolerance: float) -> Found:
    """Why the inputs that were given differ: channels the other way round, another mean, another scale."""
    want = value.shaped(got.shape)
    if want is None or got.ndim != 4:
        return Found([], 0)
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
    return Found(causes, len(orders))


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
