"""Pieces of HTML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any


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
