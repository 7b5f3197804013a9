"""The faults of a data set as one HTML page, with pictures of the worst images."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.check import Checked, ClassOfObjects
from caffe_compat.fast_rcnn.faults import KINDS, Fault
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.files import write_text
from caffe_compat.report.html import document, table

PICTURES, LONGER_SIDE, QUALITY = 24, 480, 80  # at most so many; of them, in pixels; of the JPEGs
LISTED = 500  # faults, at most


def write(checked: Checked, path: str | os.PathLike[str]) -> None:
    """Write a page. Raises CaffeCompatError where the file cannot be written."""
    write_text(path, page(checked))


def page(checked: Checked) -> str:
    """The HTML of a page. All text that comes from users' files is escaped."""
    worst = [fault for kind in KINDS for fault in checked.faults if fault.kind == kind]
    sections = [_facts(checked), _classes(checked.classes), _faults(worst), _pictures(checked, worst)]
    return document(checked.name, "The faults of a data set", filter(None, sections))


def _facts(checked: Checked) -> str:
    bad = {fault.image_id for fault in checked.faults if fault.is_error}
    facts = {
        "images": checked.images,
        "of them bad": len(bad),
        "objects": sum(one.objects for one in checked.classes),
        "classes": len(checked.classes),
        "objects of other classes": sum(checked.unknown.values()),
        "images listed twice": len(checked.repeated),
    }
    cards = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return f'<dl class="facts">{"".join(cards)}</dl>'


def _classes(classes: Sequence[ClassOfObjects]) -> str:
    covered = any(one.recall is not None for one in classes)
    head = ["class", "#images", "#objects", "#left out", "#median side", "#below the stride"]
    head += ["#covered"] if covered else []
    return (
        f"<section><h2>Classes</h2>{table(head, [('', _class(one, covered)) for one in classes])}</section>"
    )


def _class(one: ClassOfObjects, covered: bool) -> list[str]:
    side = "" if one.median_side is None else f"{one.median_side:.0f}"
    recall = "" if one.recall is None else f"{100 * one.recall:.1f} %"
    counts = map(str, (one.images, one.objects, one.ignored))
    return [escape(one.name), *counts, side, str(one.small), *([recall] if covered else [])]


def _faults(faults: Sequence[Fault]) -> str:
    if not faults:
        return ""
    rows = [
        (
            'class="different"' if fault.is_error else "",
            [escape(KINDS[fault.kind].title), escape(str(fault.error))],
        )
        for fault in faults[:LISTED]
    ]
    more = f'<p class="hint">and {len(faults) - LISTED} more</p>' if len(faults) > LISTED else ""
    return f"<section><h2>Faults</h2>{table(['kind', 'what'], rows)}{more}</section>"


def _pictures(checked: Checked, faults: Sequence[Fault]) -> str:
    """The images of the first faults of each kind, worst kind first; those that cannot be read have no picture."""
    by_image: dict[str, list[Fault]] = {}
    for fault in faults:
        by_image.setdefault(fault.image_id, []).append(fault)
    pictures: list[str] = []
    for image_id, those in _taking_turns(by_image):
        if len(pictures) == PICTURES:
            break
        found = checked.pictured.get(image_id)
        try:
            pictures += [] if found is None else [_picture(found.path, found.boxes, those)]
        except DataError:
            continue
    return (
        f'<section><h2>Pictures</h2><div class="tiles">{"".join(pictures)}</div></section>'
        if pictures
        else ""
    )


def _taking_turns(by_image: Mapping[str, list[Fault]]) -> list[tuple[str, list[Fault]]]:
    """Images so that each kind of fault has its first one early."""
    seen: dict[str, int] = {}
    order = []
    for image_id, those in by_image.items():
        kind = those[0].kind
        seen[kind] = seen.get(kind, 0) + 1
        order.append((seen[kind], list(KINDS).index(kind), image_id, those))
    return [(image_id, those) for _, _, image_id, those in sorted(order, key=lambda one: one[:2])]


def _picture(path: str, boxes: np.ndarray, faults: Sequence[Fault]) -> str:
    image = read_photo(path)
    height, width = image.shape[:2]
    scale = min(1.0, LONGER_SIDE / max(height, width))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    bad = {fault.box for fault in faults if fault.box is not None}
    shapes = "".join(_box(tuple(map(float, box)), tuple(map(float, box)) in bad) for box in boxes)
    texts = "".join(f"<li>{escape(fault.error.message)}</li>" for fault in faults)
    return f"""\
<figure><svg viewBox="{-width * 0.02:.1f} {-height * 0.02:.1f} {width * 1.04:.1f} {height * 1.04:.1f}" role="img">
<image href="data:image/jpeg;base64,{b64encode(content.tobytes()).decode()}" width="{width}" height="{height}"/>
{shapes}</svg><figcaption><code>{escape(path)}</code><ul>{texts}</ul></figcaption></figure>"""


def _box(box: Sequence[float], is_bad: bool) -> str:
    x1, y1, x2, y2 = box
    left, top, width, height = min(x1, x2), min(y1, y2), abs(x2 - x1) + 1, abs(y2 - y1) + 1
    colour = "#e02020" if is_bad else "#2ecc55"
    return f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" stroke="{colour}"/>\n'
