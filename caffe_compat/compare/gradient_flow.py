"""Where gradient flows in the reference and where it does not, and which setting would make it so here.

A gradient that is exactly 0 in the reference, or that its log leaves out, was not computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from caffe_compat.backward_plan import REPLACES, RESTRICTS, LayerPlan, param_gets_gradient, plan_backward
from caffe_compat.compare.layer_runner import LayerRunner
from caffe_compat.compare.prototxt_diff import FieldDifference, Layers
from caffe_compat.compare.reference import Reference
from caffe_compat.graph import Graph, Node
from caffe_compat.layers.common.view_layer import ViewLayer
from caffe_compat.learnable_params import Param
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

Place = tuple[str, int, int]  # "bottom" or "param", the layer, and which of its bottoms or params
Flow = dict[Place, bool]


@dataclass
class FlowCause:
    """A setting that explains where the reference has gradient.

    explained: of the places where gradient is on one side only, how many it accounts for, of `of`.
    """

    text: str
    layer: str
    explained: int
    of: int


def explain(
    runner: LayerRunner,
    reference: Reference,
    place: Place,
    theirs: Layers,
    settings: list[FieldDifference],
) -> list[FlowCause]:
    """The settings that reproduce the reference's gradient flow at `place` without making any other place worse.

    Those that account for most come first. Empty where gradient flows here just as there.
    """
    seen = _observed(runner, reference)
    wrong = _wrong(_predicted(runner, runner.net.plan), seen)
    if place not in wrong:
        return []
    found = []
    for text, layer, plan in _settings(runner, theirs, settings):
        left = _wrong(_predicted(runner, plan), seen)
        if place not in left and left <= wrong:
            found.append(FlowCause(text, layer, len(wrong - left), len(wrong)))
    return sorted(found, key=lambda cause: -cause.explained)


def shares_diff(net: Net, layer: int, bottom: int) -> bool:
    """Whether in Caffe the diff of a layer's bottom is its top's: of another blob than the one that is recorded."""
    node = net.graph.nodes[layer]
    return node.bottoms[bottom] in node.tops or isinstance(net.layers[layer], ViewLayer)


def _of_param(param: Param) -> Place:
    i, j = param.uses[0]
    return "param", i, j


def _observed(runner: LayerRunner, reference: Reference) -> Flow:
    result: Flow = {}
    for i, versions in enumerate(runner.versions.bottoms):
        for j, version in enumerate(versions):
            value = reference.diff(version)
            if value is not None and not shares_diff(runner.net, i, j):
                result["bottom", i, j] = not value.is_zero()
    names = runner.net.layer_names
    for param in runner.net.learnable:
        value = reference.param("pdiff", [(names[i], j) for i, j in param.uses])
        if value is not None:
            result[_of_param(param)] = not value.is_zero()
    return result


def _predicted(runner: LayerRunner, plans: Sequence[LayerPlan]) -> Flow:
    result: Flow = {}
    for i, plan in enumerate(plans):
        for j, flag in enumerate(plan.propagate_down):
            result["bottom", i, j] = flag
    for param in runner.net.learnable:
        result[_of_param(param)] = param_gets_gradient(plans, param.uses)
    return result


def _wrong(predicted: Flow, seen: Flow) -> set[Place]:
    return {place for place, flows in seen.items() if predicted[place] != flows}


Planned = tuple[str, str, list[LayerPlan]]


def _settings(runner: LayerRunner, theirs: Layers, settings: list[FieldDifference]) -> Iterator[Planned]:
    """Every setting that is tried: a sentence about the reference, the layer it is about, and the plan it gives."""
    net = runner.net
    meaning = net.propagate_down
    other = RESTRICTS if meaning == REPLACES else REPLACES
    flow = [setting for setting in settings if setting.field.startswith(("propagate_down", "lr_mult"))]
    if flow:
        said = "; ".join(f"{setting.layer}: {setting}" for setting in flow[:3]) + (
            "; ..." if flow[3:] else ""
        )
        yield f"its prototxt says so: {said}", flow[0].layer, _plan(runner, meaning, _of(net.graph, theirs))
    since = (
        "it only restricts, as before April 2016" if other == RESTRICTS else "it replaces, since April 2016"
    )
    yield (
        f"propagate_down has its other meaning there ({since}): --propagate-down {other}",
        "",
        _plan(runner, other, net.graph),
    )
    for i, node in enumerate(net.graph.nodes):
        for j, version in enumerate(runner.versions.bottoms[i]):
            now = net.plan[i].propagate_down[j]
            flags = [flag if k != j else not now for k, flag in enumerate(net.plan[i].propagate_down)]
            text = f"propagate_down of bottom {j} ('{version.blob}') is {str(not now).lower()}"
            yield text, node.param.name, _plan(runner, meaning, _with_flags(net.graph, i, flags))
    for i, layer in enumerate(net.layers):
        params = list(range(len(layer.blobs)))
        for some in [*([j] for j in params), *([params] if len(params) > 1 else [])]:
            learns = net.plan[i].param_propagate_down[some[0]]
            which = "all its params" if len(some) > 1 else f"param {some[0]}"
            text = f"lr_mult of {which} is {'0' if learns else 'not 0'}"
            yield (
                text,
                layer.name,
                _plan(runner, meaning, _with_lr(net.graph, i, some, 0.0 if learns else 1.0)),
            )
    forced = net.param.force_backward
    yield (
        f"force_backward is {str(not forced).lower()}",
        "",
        plan_backward(net.graph, net.layers, meaning, not forced),
    )
    yield (
        "lr_mult, merged over the layers that share a param, decides for each of them whether it computes a gradient",
        "",
        _plan(runner, meaning, _merged(runner)),
    )


def _plan(runner: LayerRunner, meaning: str, graph: Graph) -> list[LayerPlan]:
    return plan_backward(graph, runner.net.layers, meaning, runner.net.param.force_backward)


def _changed(graph: Graph, changes: dict[int, LayerParameter]) -> Graph:
    nodes: list[Node] = [
        replace(node, param=changes.get(i, node.param)) for i, node in enumerate(graph.nodes)
    ]
    return replace(graph, nodes=nodes)


def _copy(param: LayerParameter) -> LayerParameter:
    result = LayerParameter()
    result.CopyFrom(param)
    return result


def _of(graph: Graph, theirs: Layers) -> Graph:
    same = {
        i: theirs[node.param.name]
        for i, node in enumerate(graph.nodes)
        if node.param.name in theirs and len(theirs[node.param.name].bottom) == len(node.param.bottom)
    }
    return _changed(graph, same)


def _with_flags(graph: Graph, i: int, flags: list[bool]) -> Graph:
    param = _copy(graph.nodes[i].param)
    param.propagate_down[:] = flags
    return _changed(graph, {i: param})


def _with_lr(graph: Graph, i: int, params: Sequence[int], value: float) -> Graph:
    param = _copy(graph.nodes[i].param)
    for j in params:
        while len(param.param) <= j:
            param.param.add()
        param.param[j].lr_mult = value
    return _changed(graph, {i: param})


def _merged(runner: LayerRunner) -> Graph:
    changes: dict[int, LayerParameter] = {}
    for param in runner.net.learnable:
        for i, j in param.uses:
            copy = changes.setdefault(i, _copy(runner.net.graph.nodes[i].param))
            while len(copy.param) <= j:
                copy.param.add()
            copy.param[j].lr_mult = param.lr_mult.value
    return _changed(runner.net.graph, changes)
