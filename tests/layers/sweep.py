"""One test for each layer type, over all its cases or fields: to start a test takes longer than most of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

Items = Iterable[tuple[str, Any]]


def each_type(items: Items) -> pytest.MarkDecorator:
    """A test gets a layer type as `type`, and as `items` what stands beside it here."""
    of_type: dict[str, list[Any]] = {}
    for type, item in items:
        of_type.setdefault(type, []).append(item)
    return pytest.mark.parametrize("type, items", of_type.items(), ids=list(of_type))


def check_each(check: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Call `check` for each item; raises AssertionError at the end, which names those that failed, and why."""
    failed = []
    for item in items:
        try:
            check(item)
        except Exception as error:
            failed.append((getattr(item, "id", item), error))
    if failed:
        told = "\n".join(f"{name}: {error!r}" for name, error in failed)
        raise AssertionError(f"{len(failed)} failed\n{told}") from failed[0][1]
