"""Pieces of HTML, and the page around them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from caffe_compat.version import __version__

_FOLDER = Path(__file__).parent
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<header><h1>{title}</h1><p>{about}, caffe-compat {version}</p></header>
<main>
{sections}
</main>
{program}</body>
</html>
"""
_PROGRAM = """\
<script type="application/json" id="numbers">{numbers}</script>
<script>
{program}</script>
"""


def document(title: str, about: str, sections: Iterable[str], numbers: Any = None) -> str:
    """A page that needs no other file. title: text; about, sections: HTML. numbers: what page.js, which is left out
    with None, shows on a click."""
    program = ""
    if numbers is not None:
        program = _PROGRAM.format(numbers=json_text(numbers), program=_text("page.js"))
    return _PAGE.format(
        title=escape(title),
        about=about,
        version=__version__,
        style=_text("page.css"),
        sections="\n".join(sections),
        program=program,
    )


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], kind: str = "") -> str:
    """A table. head: names of columns, with a # in front for a column of numbers. rows: attributes and cells, HTML."""
    numeric = [' class="number"' if name.startswith("#") else "" for name in head]
    names = "".join(f"<th{c}>{name.lstrip('#')}</th>" for c, name in zip(numeric, head, strict=True))
    body = (
        f"<tr {attributes}>{''.join(f'<td{c}>{cell}</td>' for c, cell in zip(numeric, cells, strict=True))}</tr>"
        for attributes, cells in rows
    )
    return (
        f'<table class="{kind}"><thead><tr>{names}</tr></thead><tbody>\n'
        + "\n".join(body)
        + "\n</tbody></table>"
    )


def json_text(value: Any) -> str:
    """JSON that is safe inside a script element."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
