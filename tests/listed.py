"""Lists that have to hold the same names."""

from __future__ import annotations

from collections.abc import Iterable


def assert_listed(given: Iterable[str], wanted: Iterable[str], missing: str, needless: str) -> None:
    """given holds all of wanted, and nothing else. missing, needless: what to do about a name that is, in words."""
    given, wanted = set(given), set(wanted)
    told = [f"{name}: {missing}" for name in sorted(wanted - given)]
    told += [f"{name}: {needless}" for name in sorted(given - wanted)]
    assert not told, "\n".join(told)
