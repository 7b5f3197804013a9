"""Hard RoIs on a page: the photos, and a table by class."""

from __future__ import annotations

from html import escape

from caffe_compat.report.hard_rois import ClassOfRois, HardRoi, Mined, Photo
from caffe_compat.report.html import table


def section(number: int, mined: Mined) -> str:
    """The photos and the table of one mining layer. number: its index in the page's numbers, for its losses."""
    photos = "\n".join(map(_photo, mined.photos))
    head = ["", "class", "#RoIs", "#kept", "#mean loss", "#of the kept"]
    return f"""\
<section class="rois"><h2>Hard RoIs</h2>
<p class="hint"><code>{escape(mined.layer)}</code> kept {mined.kept} of {mined.rois} RoIs, drawn below as the net saw
the photo. Click on a class to see its RoIs alone; point at a RoI to see its loss.</p>
<div class="columns"><div class="photos">{photos}</div>
<div>{table(head, [_class(one) for one in mined.classes])}
<h3>Loss of the RoIs</h3><div data-losses="{number}"></div></div></div></section>"""


def _class(one: ClassOfRois) -> tuple[str, list[str]]:
    cells = [
        f'<i class="key" style="background:{_colour(one.label)}"></i>',
        escape(one.name),
        str(one.rois),
        str(one.kept),
        f"{one.mean_loss:.3g}",
        "" if one.kept_loss is None else f"{one.kept_loss:.3g}",
    ]
    return f'data-class="{one.label}" tabindex="0"', cells


def _photo(photo: Photo) -> str:
    boxes = "\n".join(_box(roi) for roi in reversed(photo.rois))  # the costliest on top
    return f"""\
<svg viewBox="0 0 {photo.width} {photo.height}" role="img">
<image href="data:image/jpeg;base64,{photo.jpeg}" width="{photo.width}" height="{photo.height}"/>
{boxes}
</svg>"""


def _box(roi: HardRoi) -> str:
    x1, y1, x2, y2 = roi.box
    return (
        f'<rect data-of="{roi.label}" x="{x1}" y="{y1}" width="{x2 - x1 + 1:.1f}" height="{y2 - y1 + 1:.1f}" '
        f'stroke="{_colour(roi.label)}"><title>{escape(roi.name)}, loss {roi.loss:.4g}</title></rect>'
    )


def _colour(label: int) -> str:
    """The colour of a class: grey for background; hue and lightness of neighbouring classes are far apart."""
    return f"hsl({label * 222.5 % 360:.0f} 85% {35 + 15 * (label % 3)}%)" if label else "#d8dde3"
