"""Where gradient flows in a net, why it does not elsewhere, which params learn, and which lines of the prototxt say so.

All of it comes from the net's own plan and params (backward_plan.py, learnable_params.py); nothing is derived again.
Split layers that the net inserted are left out, and bottoms have the names that they have in the prototxt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from caffe_compat.backward_plan import (
    FLOWS,
    NOTHING_LEARNS,
    REPLACES,
    RESTRICTS,
    SWITCHED_OFF,
    Flag,
    LayerPlan,
    plan_backward,
)
from caffe_compat.explain.seen_net import SeenNet
from caffe_compat.learnable_params import Multiplier, Param
from caffe_compat.net import Net

TYPE_GIVES_NONE = "its type gives this bottom no gradient"
NOT_KNOWN = "not known: what is not imported may learn"


@dataclass
class Bottom:
    """A bottom of a layer.

    source: the layer that wrote it last. shape: None where it is not known. gradient: whether gradient flows into it;
    reason: why not, empty where it does, NOT_KNOWN where it may; lines: those of the fields that are the cause. line:
    that of its propagate_down flag, if it has one. forced: whether gradient flows only because of a flag. differs:
    whether `gradient` would be the opposite with the other meaning of propagate_down.
    """

    blob: str
    source: str
    shape: tuple[int, ...] | None
    gradient: bool
    reason: str
    lines: list[int]
    line: int | None
    forced: bool
    differs: bool


@dataclass
class Stated:
    """An lr_mult or decay_mult that counts. layer: the one that states it; empty for Caffe's default of 1."""

    value: float
    layer: str
    line: int | None


@dataclass
class ParamExplanation:
    """A param. owner, sharers: its uses, as layer[index]. learns_from: those uses whose backward gives it a gradient.

    reason: why it does not learn; empty where it does. differs: whether it would have a gradient with the other meaning
    of propagate_down though it has none now, or the reverse.
    """

    name: str
    shape: tuple[int, ...] | None
    owner: str
    sharers: list[str]
    lr_mult: Stated
    decay_mult: Stated
    learns: bool
    learns_from: list[str]
    reason: str
    differs: bool

    @property
    def uses(self) -> list[str]:
        return [self.owner, *self.sharers]


@dataclass
class LayerExplanation:
    """A layer. backward: whether its backward runs; reason, lines: why not, and the lines that are the cause.

    flags: the lines of its own propagate_down flags that are false. in_place: whether its first top is its first
    bottom. tops: blob name -> shape. losses: those tops that have a loss weight. differs: whether `backward` would be
    the opposite with the other meaning of propagate_down.
    """

    name: str
    type: str
    line: int | None
    backward: bool
    reason: str
    lines: list[int]
    flags: list[int]
    in_place: bool
    bottoms: list[Bottom]
    tops: dict[str, tuple[int, ...] | None]
    losses: list[str]
    params: list[str]
    differs: bool

    @property
    def read_only(self) -> bool:
        return not self.backward and self.reason == SWITCHED_OFF


@dataclass
class Branch:
    """Connected layers that compute but never learn, because propagate_down flags switch them off.

    own_lines: the lines of flags in the branch. above_lines: the lines of flags of layers that read from the branch and
    are not part of it, by layer. shared: those params of the branch that learn elsewhere -> the uses they learn from.
    """

    layers: list[str]
    own_lines: list[int]
    above_lines: dict[str, list[int]]
    shared: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Explanation:
    """The explanation of a net. meaning, other_meaning: of propagate_down. differences: the layers, bottoms and params
    for which the other meaning would differ. not_imported: the Python layers whose modules only --python-layers would
    import -> module.class; what depends on them has the shape None."""

    file: str
    name: str
    phase: str
    meaning: str
    other_meaning: str
    layers: list[LayerExplanation]
    params: list[ParamExplanation]
    branches: list[Branch]
    not_imported: dict[str, str]

    @property
    def differences(self) -> list[str]:
        found = [f"backward of {layer.name}" for layer in self.layers if layer.differs]
        found += [f"{b.blob} into {a.name}" for a in self.layers for b in a.bottoms if b.differs]
        return found + [f"param {param.name}" for param in self.params if param.differs]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "differences": self.differences}


def explain(net: Net) -> Explanation:
    """Explain a net, with the meaning of propagate_down that it was built with."""
    return _Reader(net).read()


class _Reader:
    def __init__(self, net: Net):
        self.net, self.meaning = net, net.propagate_down
        self.other_meaning = RESTRICTS if self.meaning == REPLACES else REPLACES
        self.other = plan_backward(net.graph, net.layers, self.other_meaning, net.param.force_backward)
        # what the plan is if what is not imported has params
        self.if_it_learns = net.plan_if_it_learns() if isinstance(net, SeenNet) else net.plan
        self.names = [node.param.name for node in net.graph.nodes]
        self.shown = [net.is_in_file(name) for name in self.names]
        self.origin: dict[int, tuple[str, str]] = {}  # blob id -> name in the prototxt, layer that wrote it
        self.below: list[set[int]] = []  # for each layer, all layers that it depends on

    def read(self) -> Explanation:
        layers = [layer for i in range(len(self.names)) if (layer := self._layer(i))]
        params = [self._param(param) for param in self.net.learnable]
        return Explanation(
            file=self.net.source.name if self.net.source else "",
            name=self.net.name,
            phase="TEST" if self.net.phase else "TRAIN",
            meaning=self.meaning,
            other_meaning=self.other_meaning,
            layers=layers,
            params=params,
            branches=self._branches(layers, params),
            not_imported=self.net.not_imported if isinstance(self.net, SeenNet) else {},
        )

    # ---- layers ----
    def _layer(self, i: int) -> LayerExplanation | None:
        node, plan = self.net.graph.nodes[i], self.net.plan[i]
        self.below.append(set[int]().union(*(self._under(i, blob) for blob in node.bottoms)))
        bottoms = [self._bottom(i, j) for j in range(len(node.bottoms))]
        if not self.shown[i]:  # a Split: its tops are its bottom
            self.origin.update(dict.fromkeys(node.tops, self.origin[node.bottoms[0]]))
            return None
        blobs = [self.net.blob_names[top] for top in node.tops]
        self.origin.update((top, (blob, self.names[i])) for top, blob in zip(node.tops, blobs, strict=True))
        return LayerExplanation(
            name=self.names[i],
            type=node.param.type,
            line=self.net.line(self.names[i]),
            backward=plan.need_backward,
            reason=self._reason(i),
            lines=self._lines_of_reason(i),
            flags=self._own_flags(i),
            in_place=bool(node.bottoms and node.tops) and node.bottoms[0] == node.tops[0],
            bottoms=bottoms,
            tops={blob: top.shape for blob, top in zip(blobs, self.net.tops[i], strict=True)},
            losses=[blob for blob, weight in zip(blobs, node.loss_weights, strict=True) if weight],
            params=[self._param_name(p) for p in self.net.learnable for use in p.uses if use[0] == i],
            differs=plan.need_backward != self.other[i].need_backward,
        )

    def _bottom(self, i: int, j: int) -> Bottom:
        node, plan = self.net.graph.nodes[i], self.net.plan[i]
        blob, source = self.origin[node.bottoms[j]]
        line = self._flag_line((i, j))
        gradient = plan.propagate_down[j]
        reason, lines = FLOWS, []
        if gradient != self.if_it_learns[i].propagate_down[j]:
            reason = NOT_KNOWN
        elif not plan.need_backward and self._reason(i) != NOT_KNOWN:
            reason, lines = plan.reason, self._lines_of_reason(i)
        elif j in plan.type_gives_none:
            reason = TYPE_GIVES_NONE
        elif not gradient and plan.derived[j]:
            reason, lines = SWITCHED_OFF, [line] if line else []
        elif not gradient:
            reason, lines = NOTHING_LEARNS, self._frozen(self._under(i, node.bottoms[j]))
        return Bottom(
            blob=blob,
            source=source,
            shape=self.net.bottoms[i][j].shape,
            gradient=gradient,
            reason=reason,
            lines=lines,
            line=line,
            forced=gradient and not plan.derived[j],
            differs=gradient != self.other[i].propagate_down[j],
        )

    def _reason(self, i: int) -> str:
        plan = self.net.plan[i]
        return plan.reason if plan.need_backward == self.if_it_learns[i].need_backward else NOT_KNOWN

    def _lines_of_reason(self, i: int) -> list[int]:
        reason = self._reason(i)
        if reason == SWITCHED_OFF:
            return _sorted(self._flag_line(flag) for flag in self.net.plan[i].switched_off_by)
        return self._frozen({*self.below[i], i}) if reason == NOTHING_LEARNS else []

    def _under(self, i: int, blob: int) -> set[int]:
        """The layers that a bottom of layer i depends on."""
        writers = [k for k in range(i) if blob in self.net.graph.nodes[k].tops]
        return set(writers).union(*(self.below[k] for k in writers))

    def _frozen(self, layers: Iterable[int]) -> list[int]:
        """The lines of lr_mult 0 in these layers."""
        return _sorted(
            self._spec_line(k, j, "lr_mult")
            for k in layers
            for j, learns in enumerate(self.net.plan[k].param_propagate_down)
            if not learns
        )

    def _own_flags(self, i: int) -> list[int]:
        flags = self.net.graph.nodes[i].param.propagate_down
        return _sorted(self._flag_line((i, j)) for j, flag in enumerate(flags) if not flag)

    def _flag_line(self, flag: Flag) -> int | None:
        return self.net.line(self.names[flag[0]], "propagate_down", flag[1])

    # ---- params ----
    def _param_name(self, param: Param) -> str:
        return param.name or self._use(param.uses[0])

    def _use(self, use: tuple[int, int]) -> str:
        return f"{self.names[use[0]]}[{use[1]}]"

    def _spec_line(self, i: int, j: int, name: str) -> int | None:
        old = {"lr_mult": "blobs_lr", "decay_mult": "weight_decay"}[name]  # the field's name in V1 and V0
        layer = self.names[i]
        return self.net.line(layer, "param", j, name) or self.net.line(layer, old, j)

    def _param(self, param: Param) -> ParamExplanation:
        sources = self._gives(param, self.net.plan)
        learns = bool(sources) and param.lr_mult.value != 0
        reason = FLOWS
        if not learns and param.lr_mult.value == 0:
            reason = "lr_mult 0"
        elif not learns:
            reason = " and ".join(
                sorted({self.net.plan[i].reason or "lr_mult 0 in its own layer" for i, _ in param.uses})
            )
        return ParamExplanation(
            name=self._param_name(param),
            shape=self.net.param_blob(param).shape,
            owner=self._use(param.uses[0]),
            sharers=[self._use(use) for use in param.uses[1:]],
            lr_mult=self._stated(param, param.lr_mult, "lr_mult"),
            decay_mult=self._stated(param, param.decay_mult, "decay_mult"),
            learns=learns,
            learns_from=[self._use(use) for use in sources] if learns else [],
            reason=reason,
            differs=bool(sources) != bool(self._gives(param, self.other)),
        )

    def _gives(self, param: Param, plan: list[LayerPlan]) -> list[tuple[int, int]]:
        return [(i, j) for i, j in param.uses if plan[i].param_propagate_down[j]]

    def _stated(self, param: Param, multiplier: Multiplier, name: str) -> Stated:
        for i, j in param.uses:
            specs = self.net.graph.nodes[i].param.param
            if self.names[i] == multiplier.stated_by and j < len(specs) and specs[j].HasField(name):
                return Stated(multiplier.value, multiplier.stated_by, self._spec_line(i, j, name))
        return Stated(multiplier.value, "", None)

    # ---- branches ----
    def _branches(self, layers: list[LayerExplanation], params: list[ParamExplanation]) -> list[Branch]:
        branch_of: dict[str, list[str]] = {}
        for layer in layers:
            if layer.read_only:
                joined = [layer.name]
                for name in dict.fromkeys(bottom.source for bottom in layer.bottoms):
                    if name in branch_of and branch_of[name] is not joined:
                        joined[:0] = branch_of[name]
                        branch_of.update(dict.fromkeys(branch_of[name], joined))
                branch_of[layer.name] = joined
        found = {id(names): names for names in branch_of.values()}.values()
        return [self._branch(names, layers, params) for names in found]

    def _branch(
        self, names: list[str], layers: list[LayerExplanation], params: list[ParamExplanation]
    ) -> Branch:
        above = {
            layer.name: _sorted(b.line for b in layer.bottoms if b.source in names and not b.gradient)
            for layer in layers
            if layer.name not in names and any(b.source in names for b in layer.bottoms)
        }
        inside = [layer for layer in layers if layer.name in names]
        held = {name for layer in inside for name in layer.params}
        return Branch(
            layers=names,
            own_lines=_sorted(line for layer in inside for line in layer.flags),
            above_lines={name: lines for name, lines in above.items() if lines},
            shared={p.name: p.learns_from for p in params if p.name in held and p.learns_from},
        )


def _sorted(lines: Iterable[int | None]) -> list[int]:
    return sorted({line for line in lines if line is not None})
