"""The graph of a net: which layers it has in a phase, where splits go, which blob is which.

Pure functions, from NetParameter to NetParameter and to a `Graph`. Nothing is computed here and no blob is made.
Source: Caffe's Net::FilterNet, Net::StateMeetsRule, InsertSplits, Net::AppendTop and Net::AppendBottom.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from caffe_compat.errors import GraphError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import layer_class, layer_type_list
from caffe_compat.prototxt.caffe_pb2 import (
    TEST,
    TRAIN,
    LayerParameter,
    NetParameter,
    NetState,
    NetStateRule,
    Phase,
)
from caffe_compat.text import nearest

AUTOMATIC = "(automatic)"  # Caffe's name for the tops that a loss layer gets unasked


def with_state(net: NetParameter, phase: Phase, level: int = 0, stages: Iterable[str] = ()) -> NetParameter:
    """A copy of the net whose state has this phase and level, and these stages besides its own."""
    result = _copy(net)
    result.state.phase = phase
    result.state.level = level
    result.state.stage.extend(stages)
    return result


def filter_net(net: NetParameter) -> NetParameter:
    """A copy with only the layers that `net.state` includes; each has a phase (the net's unless its own).

    Raises GraphError where a layer has include and exclude rules.
    """
    result = _without_layers(net)
    for layer in net.layer:
        if is_included(layer, net.state):
            kept = result.layer.add()
            kept.CopyFrom(layer)
            if not kept.HasField("phase"):
                kept.phase = net.state.phase
    return result


def is_included(layer: LayerParameter, state: NetState) -> bool:
    """Whether a layer's include or exclude rules let it be part of a net in this state."""
    if layer.include and layer.exclude:
        raise GraphError("has include rules and exclude rules; use only one kind", layer=layer.name)
    if layer.include:
        return any(_meets(state, rule) for rule in layer.include)
    return not any(_meets(state, rule) for rule in layer.exclude)


def _meets(state: NetState, rule: NetStateRule) -> bool:
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and all(stage in state.stage for stage in rule.stage)
        and not any(stage in state.stage for stage in rule.not_stage)
    )


def has_loss(net: NetParameter) -> bool:
    """Whether a layer of a net in its state computes a loss, by its type or by a loss_weight."""
    return any(
        is_included(layer, net.state)
        and (any(layer.loss_weight) or (layer.type in layer_type_list() and layer_class(layer.type).is_loss))
        for layer in net.layer
    )


def usual_phase(net: NetParameter, level: int = 0, stages: Iterable[str] = ()) -> Phase:
    """The phase of a net where nobody says one: TRAIN where it has a loss then, else TEST, as of a deploy net."""
    return TRAIN if has_loss(with_state(net, TRAIN, level, stages)) else TEST


# ---- splits ---------------------------------------------------------------------------------------------------

_Top = tuple[int, int]  # layer index, index of its top: one version of a blob (in place makes a new version)


_APART = ("Reshape", "LRN", "LRNRistretto")


def with_blobs_apart(net: NetParameter) -> NetParameter:
    """A copy in which no Reshape and no LRN works in place: the blob that it takes has a name of its own, made of both
    names.

    Caffes up to 2015 gave the blob itself another shape; a GPU's LRN reads each number before it writes it. An input
    keeps its name, so that it can be fed: there, in place is left to be an error.
    """
    result = _copy(net)
    names = {name for layer in net.layer for name in layer.top}
    for i, layer in enumerate(result.layer):
        if layer.type not in _APART or layer.bottom != layer.top:
            continue
        above = result.layer[:i]
        source = next((other for other in above if set(layer.top).intersection(other.top)), None)
        if source is None or source.type == "Input":
            continue
        old = layer.top[0]
        new = f"{old}_{layer.name}"
        while new in names:
            new += "_"
        names.add(new)
        for other in above:
            for blobs in (other.bottom, other.top):
                blobs[:] = [new if name == old else name for name in blobs]
        layer.bottom[0] = new
    return result


def insert_splits(net: NetParameter, whole: NetParameter | None = None) -> NetParameter:
    """A copy in which every top that is used more than once goes through a Split layer, with Caffe's names.

    A top with a loss weight counts as used by its loss. Raises GraphError for an unknown bottom, a top produced
    twice, and a blob changed in place that others read too. whole: the net before `filter_net`, for what an error says.
    """
    sources, uses = _trace(net, whole or net)
    result = _without_layers(net)
    next_use: Counter[_Top] = Counter()
    for i, layer in enumerate(net.layer):
        copy = result.layer.add()
        copy.CopyFrom(layer)
        for j, name in enumerate(layer.bottom):
            source = sources[i, j]
            if uses[source] > 1:
                copy.bottom[j] = _split_blob(net, source, name, next_use[source])
                next_use[source] += 1
        for j, name in enumerate(layer.top):
            if uses[i, j] > 1:
                weight = layer.loss_weight[j] if j < len(layer.loss_weight) else 0.0
                _add_split(result, net, (i, j), name, uses[i, j], weight)
                if weight:  # it moves to the split's first top (Caffe forgets the other tops' weights here)
                    copy.loss_weight[j] = 0
                    next_use[i, j] += 1
    return result


def _trace(net: NetParameter, whole: NetParameter) -> tuple[dict[tuple[int, int], _Top], Counter[_Top]]:
    """For each (layer, bottom) the top it reads, and for each top how often it is used."""
    current: dict[str, _Top] = {}
    sources: dict[tuple[int, int], _Top] = {}
    uses: Counter[_Top] = Counter()
    for i, layer in enumerate(net.layer):
        for j, name in enumerate(layer.bottom):
            if name not in current:
                raise GraphError(_unknown_bottom(net, i, j, current, whole), layer=layer.name)
            sources[i, j] = current[name]
            uses[current[name]] += 1
        for j, name in enumerate(layer.top):
            in_place = j < len(layer.bottom) and layer.bottom[j] == name
            if name in current and not in_place:
                other = net.layer[current[name][0]].name
                raise GraphError(
                    f"top '{name}' is already produced by layer '{other}'; give one of them another name",
                    layer=layer.name,
                )
            current[name] = i, j
            if j < len(layer.loss_weight) and layer.loss_weight[j]:
                uses[i, j] += 1
    _check_in_place(net, sources, uses)
    return sources, uses


def _check_in_place(net: NetParameter, sources: dict[tuple[int, int], _Top], uses: Counter[_Top]) -> None:
    for (i, j), source in sources.items():
        layer = net.layer[i]
        if uses[source] > 1 and j < len(layer.top) and layer.top[j] == layer.bottom[j]:
            others = [net.layer[k].name for (k, _), top in sources.items() if top == source and k != i]
            readers = f"layer '{others[0]}' reads it too" if others else "it is used more than once"
            raise GraphError(
                f"changes blob '{layer.bottom[j]}' in place while {readers}; give its top another name",
                layer=layer.name,
            )


def _unknown_bottom(net: NetParameter, i: int, j: int, known: dict[str, _Top], whole: NetParameter) -> str:
    name = net.layer[i].bottom[j]
    later = [layer.name for layer in net.layer[i + 1 :] if name in layer.top]
    others = [layer for layer in whole.layer if name in layer.top and not is_included(layer, whole.state)]
    near = nearest(name, known)
    if later:
        hint = f"; layer '{later[0]}' produces it further down, move it up"
    elif others:
        hint = f"; layer '{others[0].name}' produces it, {_where_included(others[0], whole.state)}"
    elif near:
        hint = f"; did you mean '{near}'?"
    else:
        hint = "; no layer of this phase produces it"
    return f"unknown bottom blob '{name}' (bottom {j}){hint}"


def _where_included(layer: LayerParameter, state: NetState) -> str:
    """Why a layer is not part of a net in this state, and in which it would be."""
    mine, other = (TRAIN, TEST) if state.phase == TRAIN else (TEST, TRAIN)
    elsewhere = NetState()
    elsewhere.CopyFrom(state)
    elsewhere.phase = other
    if is_included(layer, elsewhere):
        return f"in phase {Phase.Name(other)} only, and this is phase {Phase.Name(mine)}"
    stages = [stage for rule in layer.include for stage in rule.stage]
    if stages:
        return f"in stage {' or '.join(map(repr, stages))} only, which this net is not built in"
    return "but its include or exclude rules leave it out of this net's phase and level"


def _split_name(net: NetParameter, source: _Top, blob: str) -> str:
    return f"{blob}_{net.layer[source[0]].name}_{source[1]}_split"


def _split_blob(net: NetParameter, source: _Top, blob: str, use: int) -> str:
    return f"{_split_name(net, source, blob)}_{use}"


def _add_split(
    result: NetParameter, net: NetParameter, source: _Top, blob: str, uses: int, weight: float
) -> None:
    split = result.layer.add(name=_split_name(net, source, blob), type="Split", bottom=[blob])
    split.phase = net.layer[source[0]].phase
    split.top.extend(_split_blob(net, source, blob, use) for use in range(uses))
    if weight:
        split.loss_weight.extend([weight] + [0.0] * (uses - 1))


# ---- wiring ---------------------------------------------------------------------------------------------------


def twins(net: NetParameter, has_params: Sequence[bool]) -> dict[int, str]:
    """For each layer with params that has the name of one above, a free name: weights go by the layer's name."""
    names, seen, result = {layer.name for layer in net.layer}, set(), {}
    for i, (layer, learns) in enumerate(zip(net.layer, has_params, strict=True)):
        if learns and layer.name in seen:
            free = (f"{layer.name}_{number}" for number in itertools.count(2))
            result[i] = next(name for name in free if name not in names)
            names.add(result[i])
        if learns:
            seen.add(layer.name)
    return result


@dataclass
class Node:
    """A layer in the graph. `bottoms` and `tops` are ids of blobs; `loss_weights` has one number a top."""

    param: LayerParameter
    bottoms: list[int] = field(default_factory=list)
    tops: list[int] = field(default_factory=list)
    loss_weights: list[float] = field(default_factory=list)


@dataclass
class Graph:
    """The layers of a net in order, with the blobs between them. `inputs` and `outputs` are ids of blobs."""

    nodes: list[Node]
    blob_names: list[str]
    inputs: list[int]
    outputs: list[int]

    @property
    def loss_weights(self) -> list[float]:
        """Of each blob; 0 where it is no loss."""
        weights = {i: w for node in self.nodes for i, w in zip(node.tops, node.loss_weights, strict=True)}
        return [weights[i] for i in range(len(self.blob_names))]


def connect(net: NetParameter, layers: Sequence[Layer]) -> Graph:
    """Number the blobs of a net that has its splits. `layers` (one a layer of the net) say their facts.

    Raises GraphError where the number of bottoms, tops, loss weights or propagate_down flags is wrong, or a
    layer that cannot work in place is asked to.
    """
    graph = Graph([], [], [], [])
    ids: dict[str, int] = {}
    unread: set[str] = set()
    for param, layer in zip(net.layer, layers, strict=True):
        _check_counts(param, layer)
        node = Node(param, bottoms=[ids[name] for name in param.bottom])
        unread -= set(param.bottom)
        for j, name in enumerate(param.top):
            if not (j < len(param.bottom) and param.bottom[j] == name):
                ids[name] = len(graph.blob_names)
                graph.blob_names.append(name)
            elif not layer.in_place:
                raise GraphError(
                    f"type {param.type} cannot work in place (top and bottom are both '{name}'); "
                    "give its top another name",
                    layer=param.name,
                )
            node.tops.append(ids[name])
            unread.add(name)
        if param.type == "Input":
            graph.inputs.extend(node.tops)
        for _ in range(len(param.top), layer.top_count[0] if layer.is_loss else 0):
            node.tops.append(len(graph.blob_names))
            graph.blob_names.append(AUTOMATIC)
        node.loss_weights = _loss_weights(param, layer, len(node.tops))
        graph.nodes.append(node)
    graph.outputs = [ids[name] for name in sorted(unread)]  # Caffe keeps them in a sorted set
    return graph


def _check_counts(param: LayerParameter, layer: Layer) -> None:
    """Raise GraphError where the layer's numbers of bottoms, tops or flags are not what its type takes."""
    _check_count(param, "bottom", len(param.bottom), layer.bottom_count)
    _check_count(
        param, "top", len(param.top), (0 if layer.is_loss else layer.top_count[0], layer.top_count[1])
    )
    if layer.equal_bottom_top and len(param.bottom) != len(param.top):
        raise GraphError(
            f"type {param.type} takes as many tops as bottoms, found {len(param.bottom)} and {len(param.top)}",
            layer=param.name,
        )
    if len(param.propagate_down) not in (0, len(param.bottom)):
        raise GraphError(
            f"has {len(param.propagate_down)} propagate_down flags for {len(param.bottom)} bottoms; "
            "give none, or one for each bottom",
            layer=param.name,
        )


def _check_count(param: LayerParameter, kind: str, found: int, allowed: tuple[int, int | None]) -> None:
    fewest, most = allowed
    if found < fewest or (most is not None and found > most):
        expected = f"at least {fewest}" if most is None else f"{fewest} to {most}"
        expected = str(fewest) if fewest == most else expected
        raise GraphError(f"type {param.type} takes {expected} {kind}(s), found {found}", layer=param.name)


def _loss_weights(param: LayerParameter, layer: Layer, tops: int) -> list[float]:
    if not param.loss_weight:
        return [1.0 if layer.is_loss and j == 0 else 0.0 for j in range(tops)]
    if len(param.loss_weight) != tops:
        raise GraphError(
            f"has {len(param.loss_weight)} loss_weight(s) for {tops} top(s); give none, or one for each top",
            layer=param.name,
        )
    return list(param.loss_weight)


def _copy(net: NetParameter) -> NetParameter:
    result = NetParameter()
    result.CopyFrom(net)
    return result


def _without_layers(net: NetParameter) -> NetParameter:
    result = _copy(net)
    result.ClearField("layer")
    return result
