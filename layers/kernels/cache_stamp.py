"""Kernels are compiled anew when any file of this folder has changed.

numba keeps what it compiled until the file of a kernel changes. But a kernel holds the functions that it calls, and the
constants that it takes, from other files: after a change there, as by an update, the old numbers would go on.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import caching

FOLDER = Path(__file__).resolve().parent


@cache
def digest() -> str:
    """Of all files of this folder, whatever their time."""
    contents = (path.name.encode() + path.read_bytes() for path in sorted(FOLDER.glob("*.py")))
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def choose() -> None:
    """Let numba's caches of this folder's kernels hold for this state of all its files alone."""
    locators = caching._SourceFileBackedLocatorMixin
    stamp_of_file = locators.get_source_stamp

    def stamp(locator: Any) -> Any:
        found = stamp_of_file(locator)
        if Path(locator._py_file).resolve().parent != FOLDER:
            return found
        return (*found, digest()) if isinstance(found, tuple) else (found, digest())

    locators.get_source_stamp = stamp  # type: ignore[method-assign]
