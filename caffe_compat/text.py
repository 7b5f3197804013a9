"""Shapes, numbers and names as text, the same in tables, on pages and in pictures; and numbers as JSON has them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any


def dims(shape: Sequence[int] | None) -> str:
    """A shape as text: 2000x512x6x6; a single number is a scalar's, and ? one that is not known."""
    return "?" if shape is None else "x".join(map(str, shape)) or "1"


def scientific(error: float) -> str:
    """An error with two digits: 3.2e-05; 0 where there is none."""
    return "0" if error == 0 else f"{error:.1e}"


def some(names: Sequence[str], most: int = 4) -> str:
    """The first names, and how many more there are: 'a', 'b' and 7 more."""
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def finite(value: Any) -> Any:
    """The same dicts and lists, with None for numbers that are not finite, which JSON has not."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like this one, best one that is equal but for case and underscores."""
    names = {plain(one): one for one in known}
    near = difflib.get_close_matches(plain(name), names, n=1, cutoff=cutoff)
    return names[near[0]] if near else None


def meant(name: str, known: Iterable[str]) -> str | None:
    """The known name of which this one is a misspelling, if there is one: for names that choose what is computed.

    A name that begins or ends with another is none (BN, BNLL; convolution, Deconvolution; ReLU6, ReLU), nor is one
    that ends with yet another (NdConvolution, Deconvolution).
    """
    names = {plain(one): one for one in known}
    near = nearest(name, names.values(), cutoff=0.9)
    if near is None or plain(near) == plain(name):
        return near
    if any(names.get(plain(name)[n:], near) != near for n in (1, 2, 3)):
        return None
    short, long = sorted((plain(name), plain(near)), key=len)
    inside = long.startswith(short) or long.endswith(short)
    return None if inside and (len(long) - len(short) > 1 or long[-1].isdigit() or len(short) < 5) else near


def misspelt(name: str, known: Iterable[str]) -> bool:
    """Whether this is nearly one of the known names, of as many words: no name that has a word more or less."""
    near = nearest(name, known, cutoff=0.8)
    return near is not None and (plain(near) == plain(name) or near.count("_") == name.count("_"))


def plain(name: str) -> str:
    """The name without its case and underscores."""
    return name.lower().replace("_", "")
