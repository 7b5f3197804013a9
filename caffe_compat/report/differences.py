"""A comparison on a page: what differs and why, and the largest error of each layer."""

from __future__ import annotations

import math
from html import escape
from urllib.parse import quote

from caffe_compat.compare.result import DATA, GRADIENT, PARAM, PARAM_GRADIENT, Diff, Divergence, Row
from caffe_compat.report.html import dims, table
from caffe_compat.report.numbers import LayerNumbers, Report

STAGES = (PARAM, DATA, GRADIENT, PARAM_GRADIENT)
SHOWN = 3  # differences that are visible without a click; often all others follow from the first
FINEST = 1e-8  # the bar of an error begins here, on a logarithmic scale that ends at 1


def section(diff: Diff) -> str:
    """The verdict, the differences with their causes, and the settings in which the prototxts differ."""
    seen: set[str] = set()
    blocks = []
    for one in diff.divergences:
        row = diff.rows[one.row]
        blocks.append(_divergence(row, one, row.layer in seen))
        seen.add(row.layer)
    more = len(blocks) - SHOWN
    rest = f"<details><summary>{more} more</summary>{''.join(blocks[SHOWN:])}</details>" if more > 0 else ""
    kind = "same" if diff.same else "different"
    parts = [f'<p class="verdict {kind}">{_verdict(diff)}</p>', *blocks[:SHOWN], rest]
    if diff.settings:
        items = "".join(f"<li><code>{escape(s.layer)}</code>: {escape(str(s))}</li>" for s in diff.settings)
        parts.append(f"<h3>The prototxts differ</h3><ul>{items}</ul>")
    return f"<section><h2>Differences</h2>{''.join(parts)}</section>"


def _verdict(diff: Diff) -> str:
    if diff.divergences:
        rest = "; what comes after the first was not looked at" if diff.ended else ""
        return f"Different: {len(diff.divergences)} of {len(diff.rows)} compared{rest}."
    if diff.drift is not None:
        row = diff.rows[diff.drift]
        return (
            f"Different: each layer alone agrees, but the net's own values drift, from {row.stage} "
            f"{escape(row.blob)} of {escape(row.layer)} on."
        )
    if not diff.same:
        return "Different: all agree, but a solver would do otherwise."
    return f"The same: all {len(diff.rows)} compared agree to {diff.tolerance:g}."


def _divergence(row: Row, divergence: Divergence, again: bool) -> str:
    """again: the layer has differed in something before."""
    causes = "".join(
        f"<li><b>{escape(cause.text)}</b> (<code>{escape(cause.layer)}</code>)<br>{escape(cause.figures)}</li>"
        for cause in divergence.causes
    )
    unknown = "may follow from what differs in this layer above" if again else "cause not found"
    why = f"<ul>{causes}</ul>" if causes else f"<p>{unknown}; guesses checked: {divergence.tried}</p>"
    layer = escape(row.layer)
    return f"""\
<div class="divergence"><h3><a href="#{quote(row.layer)}" data-layer="{layer}">{layer}</a> ({escape(row.type)}):
{row.stage} {escape(row.blob)} differs</h3>
<p>{_where(row)}</p>{why}</div>"""


def _where(row: Row) -> str:
    error = row.error
    if error.want_shape is not None:
        return f"its shape is {dims(row.shape)} here, {dims(error.want_shape)} there"
    if error.got is None or error.want is None:
        return ""
    place = f"most at {error.index}, {escape(row.place)}" if error.index else escape(error.of)
    return f"{place}: {error.got:.6g} here, {error.want:.6g} there"


def layers(report: Report) -> str:
    """The table of layers: the largest error of each in each stage."""
    assert report.diff is not None
    head = ["layer", "type", "tops", *(f"#{stage}" for stage in STAGES), ""]
    return table(head, [_layer(layer, report.diff) for layer in report.layers], "layers")


def _layer(layer: LayerNumbers, diff: Diff) -> tuple[str, list[str]]:
    rows = [row for row in diff.rows if row.layer == layer.name]
    errors = {
        stage: max((row.error.max_error for row in rows if row.stage == stage), default=None)
        for stage in STAGES
    }
    worst = max((error for error in errors.values() if error is not None), default=0.0)
    different = any(not row.same for row in rows)
    width = 100 * max(0.0, 1 - math.log(min(worst, 1.0)) / math.log(FINEST)) if worst else 0
    cells = [
        escape(layer.name),
        escape(layer.type),
        "<br>".join(dims(top.shape) for top in layer.tops),
        *("" if error is None else _number(error) for error in errors.values()),
        f'<span class="bar"><i class="error" style="width:{width:.1f}%"></i></span>',
    ]
    kind = "different" if different else "" if rows else "still"
    return f'class="{kind}" data-layer="{escape(layer.name)}" tabindex="0"', cells


def _number(error: float) -> str:
    return "0" if error == 0 else f"{error:.1e}"
