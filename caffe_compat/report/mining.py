"""What was mined along a training, on a page: tables by class and by size, and the costliest background."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from caffe_compat.report.html import table
from caffe_compat.report.mining_log import FalsePositive, Group, Period


def section(periods: Sequence[Period]) -> str:
    """The HTML of a training's periods."""
    classes = [one for one in zip(*(period.classes for period in periods), strict=True) if _there(one)]
    sizes = list(zip(*(period.sizes for period in periods), strict=True))
    pictures = "\n".join(map(_pictures, periods))
    return f"""\
<section><h2>What was mined</h2>
<p class="hint">Of the RoIs of a class or size in each part of the training: the share that was kept as hard, as a bar,
and the mean loss of all of them, kept or not. Sizes are in pixels of the photo as the net sees it.</p>
{_groups("class", periods, classes)}
{_groups("size", periods, sizes)}
<h3>The costliest background: what the net took for objects</h3>
<p class="hint">At most one an iteration, the costliest of each part of the training first. Among them may be objects
that nobody annotated, and boxes that nearly hold one.</p>
{pictures}</section>"""


def _there(groups: Sequence[Group]) -> bool:
    return any(group.rois for group in groups)


def _groups(kind: str, periods: Sequence[Period], rows: Sequence[Sequence[Group]]) -> str:
    head = [kind, "#RoIs", *(f"iterations {period.first} to {period.last}" for period in periods)]
    return table(
        head,
        [
            (
                "",
                [
                    escape(groups[0].name),
                    f"{sum(group.rois for group in groups):,}",
                    *(_cell(group) for group in groups),
                ],
            )
            for groups in rows
        ],
        "mining",
    )


def _cell(group: Group) -> str:
    if group.mean_loss is None:
        return ""
    share = 100 * group.kept / group.rois
    return (
        f'<span class="bar"><i class="forward" style="width:{share:.1f}%"></i></span>'
        f"{share:.3g} % kept, loss {group.mean_loss:.3g}"
    )


def _pictures(period: Period) -> str:
    figures = "\n".join(map(_figure, period.worst)) or "<p>none was kept</p>"
    return f"""\
<h4>iterations {period.first} to {period.last}</h4>
<div class="worst">{figures}</div>"""


def _figure(one: FalsePositive) -> str:
    height, width = one.pixels.shape[:2]
    x1, y1, x2, y2 = one.box
    return f"""\
<figure><svg viewBox="0 0 {width} {height}" role="img">
<image href="data:image/jpeg;base64,{one.jpeg}" width="{width}" height="{height}"/>
<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1 + 1:.1f}" height="{y2 - y1 + 1:.1f}"/></svg>
<figcaption>{escape(one.taken_for)}<br>{one.loss:.3g}</figcaption></figure>"""
