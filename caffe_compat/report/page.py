"""A Report as one HTML file that needs no other: style, program, numbers and photos are in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape

from caffe_compat.files import write_text
from caffe_compat.report import curve, differences, mining, rois
from caffe_compat.report.html import document, table
from caffe_compat.report.numbers import LayerNumbers, Report
from caffe_compat.text import dims, finite

KINDS = {"net": "The net", "run": "A run of", "training": "A training with", "diff": "A comparison of"}


def write(report: Report, path: str | os.PathLike[str]) -> None:
    """Write a page. Raises CaffeCompatError where the file cannot be written."""
    write_text(path, page(report))


def page(report: Report) -> str:
    """The HTML of a page. All text that comes from users' files is escaped."""
    sections = [
        _facts(report.facts),
        *(f'<p class="note">{escape(note)}</p>' for note in report.notes),
        *([differences.section(report.diff)] if report.diff else []),
        *([curve.section()] if report.curve else []),
        *([mining.section(report.mining)] if report.mining else []),
        _net(report),
        *(rois.section(i, one) for i, one in enumerate(report.mined)),
    ]
    return document(
        report.title, f"{KINDS[report.kind]} <code>{escape(report.file)}</code>", sections, _numbers(report)
    )


def _numbers(report: Report) -> dict:
    """What the page's program shows on a click."""
    diff = report.diff.as_dict() if report.diff else {}
    return finite(
        {
            "layers": [asdict(layer) for layer in report.layers],
            "rows": diff.get("rows", []),
            "divergences": diff.get("divergences", []),
            "compared": [asdict(one) for one in report.compared],
            "curve": curve.points(report.curve),
            "losses": [[asdict(one.losses), asdict(one.kept_losses)] for one in report.mined],
        }
    )


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    cards = (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{"".join(cards)}</dl>'


def _net(report: Report) -> str:
    rows = differences.layers(report) if report.diff else TABLES[report.kind](report.layers)
    hint = " Errors are relative to the largest value of an array." if report.diff else ""
    return f"""\
<section class="net">
<div>
<h2>Layers</h2>
<p class="hint">Click on a layer, or walk with the arrow keys.{hint}</p>
<div class="graph">{report.graph}</div>
{rows}
</div>
<aside id="details" aria-live="polite"></aside>
</section>"""


def _times(layers: Sequence[LayerNumbers]) -> str:
    times = [(layer.forward_ms or 0) + (layer.backward_ms or 0) for layer in layers]
    slowest = max(times, default=0) or 1
    rows = []
    for layer in layers:
        forward, backward = layer.forward_ms or 0, layer.backward_ms or 0
        bar = "".join(
            f'<i class="{name}" style="width:{100 * ms / slowest:.2f}%"></i>'
            for name, ms in (("forward", forward), ("backward", backward))
        )
        cells = [
            escape(layer.name),
            escape(layer.type),
            "<br>".join(dims(top.shape) for top in layer.tops),
            f"{forward:.1f}",
            "" if layer.backward_ms is None else f"{backward:.1f}",
            f'<span class="bar">{bar}</span>',
            f"{layer.bytes / 1e6:.1f}",
            escape(layer.reason or "flows"),
        ]
        rows.append(_row(layer, cells))
    head = ["layer", "type", "tops", "#fwd ms", "#bwd ms", "", "#MB", "gradient"]
    return table(head, rows, "layers")


def _shapes(layers: Sequence[LayerNumbers]) -> str:
    rows = []
    for layer in layers:
        cells = [
            escape(layer.name),
            escape(layer.type),
            "<br>".join(dims(top.shape) for top in layer.tops),
            "<br>".join(dims(param.shape) for param in layer.params),
            escape(layer.reason or "flows"),
        ]
        rows.append(_row(layer, cells))
    return table(["layer", "type", "tops", "params", "gradient"], rows, "layers")


def _row(layer: LayerNumbers, cells: list[str]) -> tuple[str, list[str]]:
    kind = "still" if layer.reason else ""
    return f'class="{kind}" data-layer="{escape(layer.name)}" tabindex="0"', cells


TABLES = {"net": _shapes, "run": _times, "training": _times}
