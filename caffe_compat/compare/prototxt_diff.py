"""Where two prototxts say different things about layers of the same name, as far as it changes what is computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from caffe_compat import graph as graphs
from caffe_compat.compare.reference import Reference
from caffe_compat.errors import CaffeCompatError
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, ParamSpec
from caffe_compat.prototxt.reader import parse_net

IGNORED = {"name", "phase", "include", "exclude", "blobs", "engine", "weight_filler", "bias_filler", "filler"}
SOLVERS = ("lr_mult", "decay_mult")  # of a param; they change what a solver does, and no single pass

Layers = dict[str, LayerParameter]


@dataclass
class FieldDifference:
    """A field that differs: what this net says, and what the reference's prototxt says. layer: empty, of the net."""

    layer: str
    field: str
    here: str
    there: str

    def __str__(self) -> str:
        return f"{self.field} is {self.there} there, {self.here} here"


def reference_layers(reference: Reference, net: Net) -> Layers:
    """The layers of the reference's prototxt in this net's phase, with splits; none where it has no prototxt.

    Raises CaffeCompatError, with the reference's name, where the prototxt cannot be read.
    """
    if not reference.prototxt:
        return {}
    try:
        param, _ = parse_net(reference.prototxt)
        state = net.param.state
        param = graphs.with_state(param, state.phase, state.level, state.stage)
        return {layer.name: layer for layer in graphs.insert_splits(graphs.filter_net(param)).layer}
    except CaffeCompatError as error:
        raise CaffeCompatError(f"its prototxt: {error.message}", file=reference.name) from error


def compare_settings(net: Net, theirs: Layers) -> list[FieldDifference]:
    """Every difference that matters, layer by layer; none where the reference has no prototxt."""
    if not theirs:
        return []
    mine = {layer.name: layer for layer in net.param.layer}
    result = [FieldDifference(name, "the layer", "there", "not there") for name in mine if name not in theirs]
    result += [
        FieldDifference(name, "the layer", "not there", "there") for name in theirs if name not in mine
    ]
    for name, layer in mine.items():
        if name in theirs:
            result += [FieldDifference(name, *row) for row in _differences(layer, theirs[name], "")]
    return result + _multipliers(mine, theirs)


def _differences(mine: Message, theirs: Message, path: str) -> Iterator[tuple[str, str, str]]:
    for field in mine.DESCRIPTOR.fields:
        if field.name in IGNORED or (field.name == "param" and isinstance(mine, LayerParameter)):
            continue
        here, there = getattr(mine, field.name), getattr(theirs, field.name)
        name = f"{path}{field.name}"
        if not isinstance(here, (Message, str, bytes, int, float)):  # repeated
            if list(here) != list(there):
                yield name, _text(field, list(here)), _text(field, list(there))
        elif isinstance(here, Message) and isinstance(there, Message):
            if mine.HasField(field.name) or theirs.HasField(field.name):
                yield from _differences(here, there, f"{name}.")
        elif here != there:
            yield name, _text(field, here), _text(field, there)


def _text(field: Any, value: Any) -> str:
    """A value of a field as a prototxt has it."""
    if isinstance(value, list):
        return ", ".join(_text(field, one) for one in value) or "not given"
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if isinstance(value, bool):
        return str(value).lower()
    return (
        f"{value:g}" if isinstance(value, float) else f"'{value}'" if isinstance(value, str) else str(value)
    )


def _multipliers(mine: Layers, theirs: Layers) -> list[FieldDifference]:
    """Differences of lr_mult and decay_mult, after params that are shared by name are merged."""
    result = []
    for what in SOLVERS:
        here, there = _merged(mine, what), _merged(theirs, what)
        for name, index in sorted(set(here) | set(there)):
            pair = here.get((name, index), 1.0), there.get((name, index), 1.0)
            if pair[0] != pair[1] and name in mine and name in theirs:
                result.append(
                    FieldDifference(name, f"{what} of param {index}", f"{pair[0]:g}", f"{pair[1]:g}")
                )
    return result


def _merged(layers: Layers, what: str) -> dict[tuple[str, int], float]:
    """lr_mult or decay_mult by (layer, param); of shared params, the first that is stated counts for all."""
    stated: dict[str, float] = {}
    for layer in layers.values():
        for spec in layer.param:
            if spec.name and spec.HasField(what):
                stated.setdefault(spec.name, getattr(spec, what))

    def value(spec: ParamSpec) -> float:
        return stated.get(spec.name, getattr(spec, what)) if spec.name else getattr(spec, what)

    return {
        (layer.name, j): value(spec)
        for layer in layers.values()
        if layer.type != "BatchNorm"  # it sets its own to 0
        for j, spec in enumerate(layer.param)
    }
