"""What a room has for each layer type: engines and exports their converters."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cached_property
from typing import Generic, TypeVar

T = TypeVar("T")


class ByType(Generic[T]):
    """Entries by layer type. Each is registered in a file of the room, which is imported when somebody first asks.

    room: the name of the package whose files register them, also those in its folders.
    """

    def __init__(self, room: str):
        self._room = room
        self._entries: dict[str, T] = {}

    def add(self, types: tuple[str, ...], entry: T) -> None:
        """Register an entry for these types; a later one takes the place of an earlier one."""
        self._entries.update(dict.fromkeys(types, entry))

    def types(self) -> list[str]:
        """All types that have an entry, sorted."""
        return sorted(self._all)

    def get(self, type: str) -> T | None:
        """The entry of a type; None where there is none."""
        return self._all.get(type)

    @cached_property
    def _all(self) -> dict[str, T]:
        room = importlib.import_module(self._room)
        for file in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            importlib.import_module(file.name)
        return self._entries
