"""Describes the layers, blobs, params and read-only branches of a net in sentences."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from caffe_compat.backward_plan import FLOWS, NO_LOSS, NOTHING_LEARNS, REPLACES, RESTRICTS, SWITCHED_OFF
from caffe_compat.errors import CaffeCompatError
from caffe_compat.explain.explanation import (
    NOT_KNOWN,
    Bottom,
    Branch,
    Explanation,
    LayerExplanation,
    ParamExplanation,
    Stated,
)
from caffe_compat.text import dims

MEANS = {
    REPLACES: "a flag replaces what the net derives, as in Caffe since April 2016",
    RESTRICTS: "a flag can only switch a gradient off, as in Caffe before April 2016 and the Fast R-CNN forks",
}


def describe(explanation: Explanation, name: str) -> list[str]:
    """Describe the layer, the blob and the param of this name. Raises CaffeCompatError if there is none."""
    layers = [layer for layer in explanation.layers if layer.name == name]
    params = [param for param in explanation.params if name in (param.name, *param.uses)]
    writers = [layer for layer in explanation.layers if name in layer.tops]
    if not (layers or params or writers):
        raise CaffeCompatError(_unknown(explanation, name), file=explanation.file or None)
    lines = [line for layer in layers for line in describe_layer(explanation, layer)]
    if writers:
        lines += ([""] if lines else []) + describe_blob(explanation, name, writers)
    for param in params:
        lines += ([""] if lines else []) + describe_param(explanation, param)
    return lines


def _unknown(explanation: Explanation, name: str) -> str:
    known = [n for layer in explanation.layers for n in (layer.name, *layer.tops)]
    known += [n for param in explanation.params for n in (param.name, *param.uses)]
    near = difflib.get_close_matches(name, list(dict.fromkeys(known)), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "explain without a name lists what there is"
    return f"no layer, blob or param '{name}' in phase {explanation.phase}; {hint}"


# ---- reasons --------------------------------------------------------------------------------------------------


def at_lines(lines: Sequence[int]) -> str:
    """`line 7`, or `lines 7, 9`, or nothing."""
    return f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}" if lines else ""


def because(layer: LayerExplanation, bottom: Bottom | None = None) -> str:
    """Why no gradient flows into a bottom (without one: why the layer's backward does not run), with the lines."""
    it = bottom or layer
    if it.reason == NOTHING_LEARNS:
        return "nothing learns below" + (f" (lr_mult 0, {at_lines(it.lines)})" if it.lines else "")
    if it.reason == SWITCHED_OFF and layer.backward:
        return " in ".join(filter(None, (SWITCHED_OFF, at_lines(it.lines))))
    if it.reason == SWITCHED_OFF:
        own = [line for line in [bottom.line if bottom else None] if line in layer.flags]
        own_text = f"propagate_down: false in line {own[0]}, and " if own else "propagate_down: false "
        return f"{own_text}above in {at_lines(it.lines)}" if it.lines else f"{own_text}above"
    return it.reason


def gradient(layer: LayerExplanation, bottom: Bottom) -> str:
    """Whether gradient flows into a bottom, and why or why not."""
    if bottom.gradient:
        return f"flows, forced by the flag in line {bottom.line}" if bottom.forced else "flows"
    if bottom.reason == NOT_KNOWN:
        return NOT_KNOWN
    return f"no: {because(layer, bottom)}"


def stated(multiplier: Stated, layer: str = "") -> str:
    """A multiplier's value and where it comes from."""
    if not multiplier.layer:
        return f"{multiplier.value:g} (default)"
    by = "" if multiplier.layer == layer else f"{multiplier.layer}, "
    where = f"line {multiplier.line}" if multiplier.line else multiplier.layer
    return f"{multiplier.value:g} ({by}{where})"


def _gradient(layer: LayerExplanation, bottom: Bottom) -> str:
    text = gradient(layer, bottom)
    return f"no gradient{text.removeprefix('no')}" if text.startswith("no:") else f"gradient {text}"


def _backward(layer: LayerExplanation) -> str:
    if layer.reason == NOT_KNOWN:
        return f"backward: {NOT_KNOWN}"
    return "backward runs" if layer.backward else f"backward does not run: {because(layer)}"


# ---- one of each ----------------------------------------------------------------------------------------------


def describe_layer(explanation: Explanation, layer: LayerExplanation) -> list[str]:
    """Describe a layer: whether its backward runs, where gradient flows, and what its params are."""
    where = f", line {layer.line}" if layer.line else ""
    lines = [f"layer {layer.name} ({layer.type}{where})"]
    if layer.name in explanation.not_imported:
        lines.append(f"  {explanation.not_imported[layer.name]}, which is not imported")
    lines.append(f"  {_backward(layer)}")
    for branch in explanation.branches:
        if layer.name in branch.layers:
            count = len(branch.layers)
            lines.append(
                f"  it is part of a read-only branch of {count} layers: it computes and never learns"
            )
    for bottom in layer.bottoms:
        lines.append(f"  bottom {bottom.blob} {dims(bottom.shape)}, from {bottom.source}")
        lines.append(f"    {_gradient(layer, bottom)}")
    for top, shape in layer.tops.items():
        readers = _readers(explanation, layer.name, top)
        use = "a loss" if top in layer.losses else f"read by {readers}" if readers else "an output"
        lines.append(f"  top {top} {dims(shape)}: {use}")
    for name in dict.fromkeys(layer.params):
        param = next(p for p in explanation.params if p.name == name)
        lines += [f"  {line}" for line in describe_param(explanation, param)]
    if layer.differs or any(bottom.differs for bottom in layer.bottoms):
        lines.append(f"  with --propagate-down {explanation.other_meaning} this would be different:")
        if layer.differs:
            lines.append(f"    backward would {'not ' if layer.backward else ''}run")
        for bottom in layer.bottoms:
            if bottom.differs:
                lines.append(f"    gradient would {'not ' if bottom.gradient else ''}flow into {bottom.blob}")
    return lines


def _readers(explanation: Explanation, source: str, blob: str) -> str:
    return ", ".join(
        layer.name
        for layer in explanation.layers
        if any(bottom.blob == blob and bottom.source == source for bottom in layer.bottoms)
    )


def describe_blob(explanation: Explanation, blob: str, writers: Sequence[LayerExplanation]) -> list[str]:
    """Describe a blob: which layers write it and read it, and whether a gradient comes back."""
    lines = [f"blob {blob} {dims(writers[-1].tops[blob])}"]
    lines.append(
        f"  written by {writers[0].name}" + (f" (line {writers[0].line})" if writers[0].line else "")
    )
    if len(writers) > 1:
        lines.append(f"  changed in place by {', '.join(layer.name for layer in writers[1:])}")
    back: list[str] = []
    known = True
    for layer in explanation.layers:
        for bottom in layer.bottoms:
            if bottom.blob == blob:
                lines.append(f"  read by {layer.name}: {_gradient(layer, bottom)}")
                back += [layer.name] if bottom.gradient and layer not in writers else []
                known &= bottom.reason != NOT_KNOWN
    if any(blob in layer.losses for layer in writers):
        lines.append("  it is a loss: gradient starts here")
    elif back:
        lines.append(f"  gradient comes back from {', '.join(back)}")
    elif known:
        lines.append("  no gradient comes back into it")
    return lines


def describe_param(explanation: Explanation, param: ParamExplanation) -> list[str]:
    """Describe a param: its owner and sharers, the multipliers that count, whether it learns and from which uses."""
    lines = [f"param {param.name} {dims(param.shape)}"]
    if param.sharers:
        lines.append(f"  owned by {param.owner}, shared by {', '.join(param.sharers)}")
    elif param.owner != param.name:
        lines.append(f"  of {param.owner}")
    lines.append(f"  lr_mult {stated(param.lr_mult)}, decay_mult {stated(param.decay_mult)}")
    lines.append(_learning(param))
    if param.differs:
        verb = "would not" if param.learns_from else "would"
        lines.append(f"  with --propagate-down {explanation.other_meaning} it {verb} be given a gradient")
    return lines


def _learning(param: ParamExplanation) -> str:
    if param.reason != FLOWS:
        return f"  does not learn: {param.reason}"
    if not param.sharers:
        return "  learns"
    silent = [use for use in param.uses if use not in param.learns_from]
    adds = f"; {', '.join(silent)} {'add' if len(silent) > 1 else 'adds'} nothing, but computes with what it learns"
    return f"  learns from {' and '.join(param.learns_from)}" + (adds if silent else "")


# ---- the net --------------------------------------------------------------------------------------------------


def describe_net(explanation: Explanation) -> list[str]:
    """Paragraphs on the whole net: its read-only branches, that nothing is a loss, and what propagate_down means."""
    branches = [_describe_branch(branch) for branch in explanation.branches]
    learns = any(layer.losses for layer in explanation.layers) and any(
        la.reason != NO_LOSS for la in explanation.layers
    )
    no_loss = f"No layer is a loss in phase {explanation.phase}: nothing runs backward."
    not_imported = [_describe_not_imported(explanation)] if explanation.not_imported else []
    return [*not_imported, *branches, *([] if learns else [no_loss]), _describe_propagate_down(explanation)]


def _describe_not_imported(explanation: Explanation) -> str:
    named = ", ".join(f"{layer} ({name})" for layer, name in explanation.not_imported.items())
    return (
        f"Not imported, as that would run it: {named}. Shapes behind it are not known (?), nor are params there that "
        "the file says nothing of; --python-layers imports it."
    )


def _describe_branch(branch: Branch) -> str:
    """Describe a read-only branch in a paragraph: what it is, and the lines that are the cause."""
    count = len(branch.layers)
    ends = branch.layers[0] + (f" to {branch.layers[-1]}" if count > 1 else "")
    text = f"Read-only branch, {count} layer{'s' if count > 1 else ''}, {ends}: "
    text += "it computes forward and never learns, no gradient enters it or leaves it."
    if branch.own_lines:
        text += f" Its own layers say propagate_down: false in {at_lines(branch.own_lines)}."
    if branch.above_lines:
        each = "; ".join(f"{name}, {at_lines(lines)}" for name, lines in branch.above_lines.items())
        text += f" So do the layers above that read what it makes: {each}."
    if branch.shared:
        uses = ", ".join(dict.fromkeys(use.split("[")[0] for uses in branch.shared.values() for use in uses))
        text += f" Its params {', '.join(branch.shared)} learn all the same: it shares them with {uses}, "
        text += "and computes with what they learn there."
    return text


def _describe_propagate_down(explanation: Explanation) -> str:
    """Describe what propagate_down means here, and where its other meaning would differ for this net."""
    text = f"propagate_down {explanation.meaning}: {MEANS[explanation.meaning]}. "
    other = f"With --propagate-down {explanation.other_meaning} ({MEANS[explanation.other_meaning]})"
    if not explanation.differences:
        return f"{text}{other} this net would be the same."
    return f"{text}{other} these would be the other way round: {'; '.join(explanation.differences)}."
