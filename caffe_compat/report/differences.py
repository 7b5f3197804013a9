"""A comparison on a page: what differs and why, and the largest error of each layer."""

from __future__ import annotations

import math
from html import escape
from urllib.parse import quote

from caffe_compat.compare.result import DATA, GRADIENT, PARAM, PARAM_GRADIENT, Diff, Divergence
from caffe_compat.report.html import table
from caffe_compat.report.numbers import LayerNumbers, Report
from caffe_compat.text import dims, scientific

STAGES = (PARAM, DATA, GRADIENT, PARAM_GRADIENT)
SHOWN = 3  # differences that are visible without a click; often all others follow from the first
FINEST = 1e-8  # the bar of an error begins here, on a logarithmic scale that ends at 1


def section(diff: Diff) -> str:
    """The verdict, the differences with their causes, and the settings in which the prototxts differ."""
    blocks = [_divergence(diff, divergence) for divergence in diff.divergences]
    more = len(blocks) - SHOWN
    rest = f"<details><summary>{more} more</summary>{''.join(blocks[SHOWN:])}</details>" if more > 0 else ""
    kind = "same" if diff.same else "different"
    parts = [f'<p class="verdict {kind}">{escape(diff.verdict)}</p>', *blocks[:SHOWN], rest]
    if diff.settings:
        items = "".join(f"<li><code>{escape(s.layer)}</code>: {escape(str(s))}</li>" for s in diff.settings)
        parts.append(f"<h3>The prototxts differ</h3><ul>{items}</ul>")
    return f"<section><h2>Differences</h2>{''.join(parts)}</section>"


def _divergence(diff: Diff, divergence: Divergence) -> str:
    row = diff.rows[divergence.row]
    causes = "".join(
        f"<li><b>{escape(cause.text)}</b> (<code>{escape(cause.layer)}</code>)<br>{escape(cause.figures)}</li>"
        for cause in divergence.causes
    )
    why = f"<ul>{causes}</ul>" if causes else f"<p>{diff.unexplained(divergence)}</p>"
    layer = escape(row.layer)
    return f"""\
<div class="divergence"><h3><a href="#{quote(row.layer)}" data-layer="{layer}">{layer}</a> ({escape(row.type)}):
{escape(row.what)} differs</h3>
<p>{escape(row.difference)}</p>{why}</div>"""


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
        *("" if error is None else scientific(error) for error in errors.values()),
        f'<span class="bar"><i class="error" style="width:{width:.1f}%"></i></span>',
    ]
    kind = "different" if different else "" if rows else "still"
    return f'class="{kind}" data-layer="{escape(layer.name)}" tabindex="0"', cells
