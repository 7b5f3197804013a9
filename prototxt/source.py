"""Where the fields of a message stand in the text that it was read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from caffe_compat.prototxt.scanner import Path
from caffe_compat.prototxt.tokens import Place


class Source:
    """The file that a message was read from, and the places of its fields.

    `name` is the file's. Paths are those of the upgraded message: a layer keeps the place of the layer that
    it was made from.
    """

    def __init__(self, name: str, places: Mapping[Path, Place], origins: Sequence[Path] = ()):
        self.name = name
        self._places = places
        self._origins = origins

    def where(self, *path: str | int) -> Place | None:
        """Line and column (from 1) of a field, or None where the text does not state it.

        The path is made of names, each followed by an index where the field is repeated:
        `where("layer", 3, "convolution_param", "kernel_size", 0)`.
        """
        full = _with_indices(path)
        if full[:1] == ("layer",) and self._origins:
            index = full[1]
            if not isinstance(index, int) or not 0 <= index < len(self._origins):
                return None
            full = self._origins[index] + full[2:]
        return self._places.get(full)


def _with_indices(path: Sequence[str | int]) -> Path:
    """The path with an index after every name."""
    full: list[str | int] = []
    for part, after in zip(path, [*path[1:], ""], strict=True):
        full.append(part)
        if isinstance(part, str) and not isinstance(after, int):
            full.append(0)
    return tuple(full)
