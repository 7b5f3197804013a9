"""Which layers run backward, and into which bottoms and params: Caffe's two passes, with the reason for every no.

Source: Caffe's Net::Init (the needs of each layer, then the reverse pass with blobs_under_loss and blobs_skip_backp).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from caffe_compat.graph import Graph, Node
from caffe_compat.layers.base import Layer
from caffe_compat.prototxt.dialects import REPLACES, RESTRICTS

MEANINGS = (REPLACES, RESTRICTS)

FLOWS = ""
NOTHING_LEARNS = "nothing learns below"
NO_LOSS = "no path to a loss"
SWITCHED_OFF = "propagate_down: false"

Flag = tuple[int, int]  # a propagate_down flag of the prototxt: its layer's index, and which bottom it is for


@dataclass
class LayerPlan:
    """What backward does with one layer.

    need_backward: whether its backward runs at all. propagate_down: one bool a bottom, whether a gradient flows there.
    param_propagate_down: one bool a param, whether it gets a gradient. Both are final: false where backward does not
    run, and at bottoms that can take no gradient. reason: empty where need_backward, else why not, in a few words.
    derived: one bool a bottom, what propagate_down would be without flags. switched_off_by: where the reason is
    SWITCHED_OFF, the flags (false) nearest above the layer that make it so. type_gives_none: bottoms at which a
    gradient is asked for though the layer's type gives them none. refused: those of a loss; running its backward is an
    error.
    """

    need_backward: bool
    propagate_down: list[bool]
    param_propagate_down: list[bool]
    reason: str
    derived: list[bool] = field(default_factory=list)
    switched_off_by: list[Flag] = field(default_factory=list)
    type_gives_none: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)


def plan_backward(
    graph: Graph, layers: Sequence[Layer], meaning: str = REPLACES, force_backward: bool = False
) -> list[LayerPlan]:
    """Plan the backward pass of a net whose layers are set up (they have their params). One plan a layer."""
    plans = _needs(graph, layers, meaning)
    _prune(graph, plans)
    if force_backward:
        _force(graph, layers, plans)
    for layer, plan in zip(layers, plans, strict=True):
        _apply_facts(layer, plan)
    return plans


def param_gets_gradient(plans: Sequence[LayerPlan], uses: Iterable[tuple[int, int]]) -> bool:
    """Whether a learnable param gets a gradient at one of its uses (layer index, param index)."""
    return any(plans[i].param_propagate_down[j] for i, j in uses)


def _needs(graph: Graph, layers: Sequence[Layer], meaning: str) -> list[LayerPlan]:
    """The pass from the data up: a blob needs a gradient when something at or below its layer learns."""
    blob_needs = [False] * len(graph.blob_names)
    plans = []
    for node, layer in zip(graph.nodes, layers, strict=True):
        derived = [blob_needs[blob] for blob in node.bottoms]
        learns = [_learns(node, j) for j in range(len(layer.blobs))]
        needs = any(derived) or any(learns)
        params = [_param_flag(node, j, flag) for j, flag in enumerate(learns)]
        reason = FLOWS if needs else NOTHING_LEARNS
        plans.append(LayerPlan(needs, _flagged(node, derived, meaning), params, reason, derived))
        for j, blob in enumerate(node.tops):
            blob_needs[blob] = derived[j] if layer.one_to_one else needs or blob_needs[blob]
    return plans


def _learns(node: Node, param: int) -> bool:
    return param >= len(node.param.param) or node.param.param[param].lr_mult != 0


def _param_flag(node: Node, param: int, learns: bool) -> bool:
    """Whether a param gets a gradient: as caffe_colorizer's param_propagate_down says, else where it learns."""
    spec = node.param.param[param] if param < len(node.param.param) else None
    return spec.param_propagate_down if spec and spec.HasField("param_propagate_down") else learns


def _flagged(node: Node, derived: list[bool], meaning: str) -> list[bool]:
    flags = list(node.param.propagate_down)
    if not flags:
        return derived
    if meaning == REPLACES:
        return flags
    return [need and flag for need, flag in zip(derived, flags, strict=True)]


def _prune(graph: Graph, plans: list[LayerPlan]) -> None:
    """The pass from the losses down: what leads to no loss, or only to switched-off bottoms, is left out.

    Blobs are told apart by name, as in Caffe: the versions of a blob that is changed in place are one.
    """
    under_loss: set[str] = set()
    skipped: dict[str, list[Flag]] = {}  # with the flags to blame
    for i in reversed(range(len(plans))):
        node, plan = graph.nodes[i], plans[i]
        tops = [graph.blob_names[blob] for blob in node.tops]
        bottoms = [graph.blob_names[blob] for blob in node.bottoms]
        contributes = any(node.loss_weights) or any(name in under_loss for name in tops)
        switched_off = plan.need_backward and all(name in skipped for name in tops)
        if plan.need_backward and (switched_off or not contributes):
            plan.need_backward, plan.reason = False, SWITCHED_OFF if contributes else NO_LOSS
        if plan.reason == SWITCHED_OFF:
            plan.switched_off_by = sorted({flag for name in tops for flag in skipped[name]})
        if switched_off or not contributes:
            plan.propagate_down = [False] * len(bottoms)
        if contributes:
            under_loss.update(bottoms)
        for j, name in enumerate(bottoms):
            if not plan.propagate_down[j]:
                stated = bool(node.param.propagate_down) and not node.param.propagate_down[j]
                skipped.setdefault(name, []).extend([(i, j)] if stated else plan.switched_off_by)


def _apply_facts(layer: Layer, plan: LayerPlan) -> None:
    """Make the flags of a plan final: after the bottoms that the layer says can take no gradient."""
    flags = enumerate(plan.propagate_down)
    plan.type_gives_none = [j for j, flag in flags if flag and j in layer.no_gradient]
    if plan.need_backward and layer.is_loss and not layer.allows_ignored_gradient:
        plan.refused = plan.type_gives_none
    plan.propagate_down = [
        plan.need_backward and flag and j not in layer.no_gradient
        for j, flag in enumerate(plan.propagate_down)
    ]
    plan.param_propagate_down = [plan.need_backward and flag for flag in plan.param_propagate_down]


def _force(graph: Graph, layers: Sequence[Layer], plans: list[LayerPlan]) -> None:
    for layer, plan in zip(layers, plans, strict=True):
        plan.need_backward, plan.reason, plan.switched_off_by = True, FLOWS, []
        plan.propagate_down = [
            flag or (layer.has_backward and i not in layer.no_gradient)
            for i, flag in enumerate(plan.propagate_down)
        ]
        plan.param_propagate_down = [True] * len(plan.param_propagate_down)
