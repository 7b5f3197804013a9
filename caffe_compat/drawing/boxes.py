"""The boxes of a drawn net: which layers stand in one, what is written in it, which blobs leave it, where it stands.

A layer that works in place stands in the box of the layer whose blob it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from caffe_compat.drawing.layout import Edge, Layout, place
from caffe_compat.explain.explanation import Explanation, LayerExplanation, ParamExplanation
from caffe_compat.text import dims

NAME, TEXT, LABEL = 8.0, 6.8, 6.3  # widths of a letter: bold 12, 11 and 10 pixels; DejaVu Sans, a wide font
ROW, PAD, LABEL_ROW, MARGIN = 17, 7, 13, 24


@dataclass
class Port:
    """Blobs that leave a box for the same boxes: one line. at: its x, from the middle of the box."""

    blobs: list[tuple[str, tuple[int, ...] | None]]
    label: list[str]
    targets: dict[int, bool]  # box index -> whether gradient flows back
    at: float = 0.0

    @property
    def width(self) -> float:
        return max(len(line) for line in self.label) * LABEL + 18


@dataclass
class Box:
    """A layer and those that change its blobs in place. x, y: the middle of its top edge."""

    layers: list[LayerExplanation]
    params: list[list[ParamExplanation]]
    ports: list[Port] = field(default_factory=list)
    width: float = 0.0
    x: float = 0.0
    y: float = 0.0

    @property
    def height(self) -> float:
        return 2 * PAD + ROW * (len(self.layers) + sum(map(bool, self.params)))

    @property
    def kind(self) -> str:
        first = self.layers[0]
        if first.losses and not first.read_only:
            return "loss"
        if not first.bottoms:
            return "data"
        return "backward" if first.backward else "readonly" if first.read_only else "plain"


def make_boxes(facts: Explanation) -> list[Box]:
    params = {param.name: param for param in facts.params}
    boxes: list[Box] = []
    box_of: dict[str, int] = {}
    for layer in facts.layers:
        known = [params[name] for name in layer.params]
        if layer.in_place and len(layer.bottoms) == 1:
            box_of[layer.name] = box_of[layer.bottoms[0].source]
            box = boxes[box_of[layer.name]]
            box.layers.append(layer)
            box.params.append(known)
        else:
            box_of[layer.name] = len(boxes)
            boxes.append(Box([layer], [known]))
    for box in boxes:
        box.ports = _ports(facts, box, box_of)
        texts = [
            max(len(layer.name) * NAME + 8 + len(layer.type) * TEXT, _params_width(known))
            for layer, known in zip(box.layers, box.params, strict=True)
        ]
        ports = sum(port.width for port in box.ports) if len(box.ports) > 1 else 0
        label = max((port.width for port in box.ports), default=0)
        box.width = max([*texts, ports, 1.6 * label]) + 2 * PAD
        left = -ports / 2
        for port in box.ports:
            port.at = left + 8 if ports else 0.0
            left += port.width
    return boxes


def _ports(facts: Explanation, box: Box, box_of: dict[str, int]) -> list[Port]:
    names = {layer.name for layer in box.layers}
    blobs = {blob: shape for layer in box.layers for blob, shape in layer.tops.items()}
    ports: list[Port] = []
    for blob, shape in blobs.items():
        targets: dict[int, bool] = {}
        for layer in facts.layers:
            for bottom in layer.bottoms:
                if layer.name not in names and bottom.blob == blob and bottom.source in names:
                    target = box_of[layer.name]
                    targets[target] = targets.get(target, False) or bottom.gradient
        label = dims(shape) if blob in names else f"{blob} {dims(shape)}"
        same = [port for port in ports if port.targets == targets and targets]
        if same:
            same[0].label.append(label)
            same[0].blobs.append((blob, shape))
        else:
            ports.append(Port([(blob, shape)], [label], targets))
    return ports


def chips(params: Sequence[ParamExplanation]) -> list[tuple[str, str]]:
    """Pieces of text on params, with their class: those of the same kind together."""
    result = []
    for param in params:
        if param.sharers:
            result.append(("shared", param.name))
        result.append(("type", dims(param.shape)))
    if all(param.lr_mult.value == 0 for param in params):
        result.insert(0, ("frozen", "frozen"))
    return result


def _params_width(params: Sequence[ParamExplanation]) -> float:
    return sum(len(text) + 1 for _, text in chips(params)) * (LABEL + 0.2) if params else 0.0


def arrange(
    boxes: Sequence[Box], head: float, width: float
) -> tuple[Layout, list[tuple[float, float]], float]:
    """Give the boxes their places, below `head` and in the middle of `width` or more.

    Returns the layout, top and bottom of each of its ranks, and the width that is needed.
    """
    edges = [Edge(i, j, port.at) for i, box in enumerate(boxes) for port in box.ports for j in port.targets]
    layout = place([box.width for box in boxes], edges)
    right = [x for x, box in zip(layout.x, boxes, strict=True) for x in _rights(x, box)]
    needed = max([0.0, *right, *(x for passes in layout.passes for x in passes)]) + 2 * MARGIN
    width = max(width, needed)
    shift = MARGIN + (width - needed) / 2
    layout.x = [x + shift for x in layout.x]
    layout.passes = [[x + shift for x in passes] for passes in layout.passes]
    rows: list[tuple[float, float]] = []
    top = head
    for r in range(max(layout.rank, default=-1) + 1):
        here = [i for i, rank in enumerate(layout.rank) if rank == r]
        for i in here:
            boxes[i].x, boxes[i].y = layout.x[i], top
        rows.append((top, top + max(boxes[i].height for i in here)))
        labels = max((len(port.label) for i in here for port in boxes[i].ports), default=0)
        top = rows[-1][1] + 34 + LABEL_ROW * labels
    return layout, rows, width


def _rights(x: float, box: Box) -> list[float]:
    return [x + box.width / 2, *(x + port.at + port.width for port in box.ports)]
