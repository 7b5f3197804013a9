"""A net as an SVG picture: boxes of layers, edges of blobs, gradient flow, read-only branches, shared params."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from caffe_compat.drawing.boxes import (
    LABEL_ROW,
    MARGIN,
    PAD,
    ROW,
    TEXT,
    Box,
    Port,
    arrange,
    chips,
    make_boxes,
)
from caffe_compat.drawing.layout import Layout
from caffe_compat.explain.explanation import Explanation, LayerExplanation

HEAD = 92.0  # the height of title and legend
GRADIENT, SHARED = "#d97706", "#7c3aed"
FONT = "font-family:Helvetica,Arial,'DejaVu Sans',sans-serif"
STYLE = f"""
text {{ {FONT}; font-size: 11px; fill: #1f2937 }}
.name {{ font-weight: bold; font-size: 12px }} .type {{ fill: #4b5563 }}
.label {{ font-size: 10px; fill: #374151; stroke: #fff; stroke-width: 3px; paint-order: stroke }}
.box rect.frame {{ fill: #fff; stroke: #9ca3af }}
.box.data rect.frame {{ fill: #e0f2fe; stroke: #0284c7 }}
.box.backward rect.frame {{ fill: #fef3c7; stroke: {GRADIENT}; stroke-width: 2px }}
.box.readonly rect.frame {{ fill: #e5e7eb; stroke: #4b5563; stroke-width: 1.5px; stroke-dasharray: 5 3 }}
.box.loss rect.frame {{ fill: #fee2e2; stroke: #dc2626; stroke-width: 2px }}
.layer rect {{ fill: transparent }}
.params {{ font-size: 10px }} .frozen {{ fill: #2563eb; font-weight: bold }}
.shared {{ fill: {SHARED}; font-weight: bold }}
.edge {{ fill: none; stroke: #6b7280; stroke-width: 1.2px }}
.edge.gradient {{ stroke: {GRADIENT}; stroke-width: 3px }}
.edge.readonly {{ stroke: #4b5563; stroke-dasharray: 5 3 }}
.link {{ fill: none; stroke: {SHARED}; stroke-width: 1.5px; stroke-dasharray: 1.5 3.5 }}
.title {{ font-size: 18px; font-weight: bold }} .phase {{ font-weight: bold; font-size: 12px; fill: #fff }}
"""
LEGEND = {
    "data": "data",
    "plain": "no gradient",
    "backward": "runs backward",
    "readonly": "read-only: computes, never learns",
    "loss": "loss",
}


def svg(facts: Explanation) -> str:
    """The picture, an SVG document of its own. Layers are `g` elements of class layer, their name in data-layer."""
    boxes = make_boxes(facts)
    head, head_width = _head(facts, {box.kind for box in boxes})
    layout, rows, width = arrange(boxes, HEAD, head_width)
    height = max((box.y + box.height for box in boxes), default=HEAD) + 50
    parts = [
        *head,
        *_links(boxes),
        *_edges(boxes, layout, rows),
        *(line for box in boxes for line in _box(box)),
        *_labels(boxes),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">\n<style>{STYLE}</style>\n<defs>{_marker("data", "#6b7280")}'
        f"{_marker('grad', GRADIENT)}</defs>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _head(facts: Explanation, kinds: set[str]) -> tuple[list[str], float]:
    """Title, phase and legend; and how wide they are."""
    color = "#0f766e" if facts.phase == "TEST" else "#b45309"
    title = facts.name or facts.file
    x = MARGIN + len(title) * 12.5 + 12
    end = x + 70 + 32 * TEXT
    parts = [
        f'<text class="title" x="{MARGIN}" y="32">{escape(title)}</text>',
        f'<rect x="{x:.0f}" y="16" width="58" height="22" rx="11" fill="{color}"/>',
        f'<text class="phase" x="{x + 29:.0f}" y="31" text-anchor="middle">{facts.phase}</text>',
        f'<text x="{x + 70:.0f}" y="31">propagate_down {facts.meaning}</text>',
    ]
    x = float(MARGIN)
    for sample, text in _legend(facts, kinds):
        parts.append(f'<g transform="translate({x:.0f} 52)">{sample}<text x="34" y="11">{text}</text></g>')
        x += 54 + len(text) * 6.2
    return parts, max(end, x)


def _legend(facts: Explanation, kinds: set[str]) -> Iterator[tuple[str, str]]:
    for kind, text in LEGEND.items():
        if kind in kinds:
            yield f'<g class="box {kind}"><rect class="frame" width="24" height="14" rx="3"/></g>', text
    if any(bottom.gradient for layer in facts.layers for bottom in layer.bottoms):
        yield f'<path class="edge gradient" d="M7 7H20" {_ends(True)}/>', "gradient flows back"
    if any(param.sharers for param in facts.params):
        yield '<path class="link" d="M0 7H26"/>', "shared params"


def _box(box: Box) -> Iterator[str]:
    left, y = box.x - box.width / 2, box.y
    radius = 12 if box.kind == "data" else 4
    yield f'<g class="box {box.kind}">'
    yield f'<rect class="frame" {_rect(left, y, box.width, box.height)} rx="{radius}"/>'
    y += PAD
    for layer, params in zip(box.layers, box.params, strict=True):
        rows = 1 + bool(params)
        yield f'<g class="layer" data-layer="{escape(layer.name)}">'
        yield f"<title>{escape(_tip(layer))}</title>"
        yield f"<rect {_rect(left, y, box.width, ROW * rows)}/>"
        yield f'<text x="{left + PAD:.1f}" y="{y + 13:.1f}"><tspan class="name">{escape(layer.name)}</tspan>'
        yield f'<tspan class="type" dx="7">{escape(layer.type)}</tspan></text>'
        if params:
            text = " ".join(f'<tspan class="{css}">{escape(words)}</tspan>' for css, words in chips(params))
            yield f'<text class="params" x="{left + PAD:.1f}" y="{y + ROW + 12:.1f}">{text}</text>'
        yield "</g>"
        y += ROW * rows
    yield "</g>"


def _tip(layer: LayerExplanation) -> str:
    return f"{layer.name}: backward runs" if layer.backward else f"{layer.name}: no backward: {layer.reason}"


def _labels(boxes: Sequence[Box]) -> Iterator[str]:
    for box in boxes:
        for port in box.ports:
            x, y = box.x + port.at + 9, box.y + box.height + 14
            for k, text in enumerate(port.label):
                yield f'<text class="label" x="{x:.1f}" y="{y + k * LABEL_ROW:.1f}">{escape(text)}</text>'


def _edges(boxes: Sequence[Box], layout: Layout, rows: Sequence[tuple[float, float]]) -> Iterator[str]:
    lines = [(i, port, j) for i, box in enumerate(boxes) for port in box.ports for j in port.targets]
    ends = _ends_of(boxes, layout, lines)
    order = sorted(range(len(lines)), key=lambda k: lines[k][1].targets[lines[k][2]])  # gradient on top
    for k in order:
        i, port, j = lines[k]
        gradient = port.targets[j]
        start = (boxes[i].x + port.at, boxes[i].y + boxes[i].height)
        points = [start]
        for r, x in enumerate(layout.passes[k], layout.rank[i] + 1):
            points += [(x, rows[r][0]), (x, rows[r][1])]
        points.append((ends[k], boxes[j].y))
        readonly = not gradient and boxes[j].kind == "readonly"
        css = "edge gradient" if gradient else "edge readonly" if readonly else "edge"
        path = _path(_trimmed(points, gradient))
        names = " ".join(escape(blob) for blob, _ in port.blobs)
        source, target = boxes[i].layers[0].name, boxes[j].layers[0].name
        yield (
            f'<path class="{css}" data-blob="{names}" data-source="{escape(source)}" '
            f'data-target="{escape(target)}" d="{path}" {_ends(gradient)}/>'
        )


def _ends_of(
    boxes: Sequence[Box], layout: Layout, lines: Sequence[tuple[int, Port, int]]
) -> dict[int, float]:
    """Where each edge meets the top of its target: side by side in the order in which they come, near its middle."""
    result = {}
    for j, box in enumerate(boxes):
        mine = [k for k, line in enumerate(lines) if line[2] == j]
        mine.sort(key=lambda k: [boxes[lines[k][0]].x + lines[k][1].at, *layout.passes[k]][-1])
        step = min(22.0, (box.width - 20) / max(len(mine), 1))
        for place_, k in enumerate(mine):
            result[k] = box.x + (place_ - (len(mine) - 1) / 2) * step
    return result


def _trimmed(points: list[tuple[float, float]], gradient: bool) -> list[tuple[float, float]]:
    """Room for the arrow heads: they end at the boxes, the lines before."""
    (x0, y0), (x1, y1) = points[0], points[-1]
    return [(x0, y0 + (7 if gradient else 0)), *points[1:-1], (x1, y1 - 7)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Curves between ranks, straight lines through them."""
    text = "M{:.1f} {:.1f}".format(*points[0])
    for k, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        if k % 2:
            text += f"V{y1:.1f}"
        else:
            middle = (y0 + y1) / 2
            text += f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return text


def _links(boxes: Sequence[Box]) -> Iterator[str]:
    """A dotted line from each box to the next that has a param of it."""
    last: dict[str, Box] = {}
    for box in boxes:
        from_ = {id(last[p.name]): last[p.name] for known in box.params for p in known if p.name in last}
        for other in from_.values():
            side = 1 if box.x >= other.x else -1
            x0, y0 = other.x + side * other.width / 2, other.y + other.height / 2
            x1, y1 = box.x - side * box.width / 2, box.y + box.height / 2
            bend = (x0 + x1) / 2
            if (x1 - x0) * side < 10:  # one above the other: around the right
                x0, x1 = other.x + other.width / 2, box.x + box.width / 2
                bend = max(x0, x1) + 40
            curve = f"M{x0:.1f} {y0:.1f}C{bend:.1f} {y0:.1f} {bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
            yield f'<path class="link" d="{curve}"/>'
        last.update((p.name, box) for known in box.params for p in known if p.sharers)


def _marker(name: str, color: str) -> str:
    return (
        f'<marker id="{name}" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" refX="0.5" refY="4.5" '
        f'orient="auto-start-reverse"><path d="M0 0L8 4.5L0 9z" fill="{color}"/></marker>'
    )


def _ends(gradient: bool) -> str:
    return 'marker-start="url(#grad)" marker-end="url(#grad)"' if gradient else 'marker-end="url(#data)"'


def _rect(x: float, y: float, width: float, height: float) -> str:
    return f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
