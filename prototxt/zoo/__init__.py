"""Nets and solvers that ship with the package, as prototxt files."""

from __future__ import annotations

import difflib
from pathlib import Path

from caffe_compat.errors import PrototxtError

_FOLDER = Path(__file__).resolve().parent


def names() -> list[str]:
    """The names of all nets and solvers, sorted; solvers end with `_solver`."""
    return sorted(file.stem for file in _FOLDER.glob("*.prototxt"))


def path(name: str) -> Path:
    """The file of a net or solver. Raises PrototxtError when there is none of this name."""
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1) or names()
        raise PrototxtError(f"the zoo has no '{name}'; it has {', '.join(near)}")
    return _FOLDER / f"{name}.prototxt"
