"""What is kept of compiled kernels on disk: never of another state of the sources, and never a reason to fail.

numba keeps a kernel until the file of that kernel changes. But a kernel holds the functions that it calls, and the
constants that it takes, from other files of this folder: after a change there, as by an update, the old numbers would
go on. Two processes that compile one kernel for different types at once may also take each other's file for their own;
and a full disk, a home that cannot be written or a file cut short would end the program.
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from numba.core import caching
from numba.core.runtime import rtsys
from numba.np.ufunc.parallel import _launch_threads

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = Path(__file__).resolve().parent


class Stamp(str):
    """The digest of all files of this folder; marks what is kept of them."""


@cache
def stamp() -> Stamp:
    contents = (path.name.encode() + path.read_bytes() for path in sorted(FOLDER.glob("*.py")))
    return Stamp(hashlib.sha256(b"\0".join(contents)).hexdigest())


class Locator:
    """Where numba keeps what it compiled of a function of this folder, and of which state of it."""

    def __init__(self, line: int, path: str):
        self._line, self._path = line, path

    @classmethod
    def from_function(cls, function: Any, file: str) -> Locator | None:
        """None for functions of other folders, which numba's own locators find."""
        if Path(file).resolve().parent != FOLDER:
            return None
        return cls(function.__code__.co_firstlineno, _place(function, file))

    def get_cache_path(self) -> str:
        return self._path

    def get_source_stamp(self) -> Stamp:
        return stamp()

    def get_disambiguator(self) -> str:
        return str(self._line)

    def ensure_cache_path(self) -> None:
        """Nothing: who keeps a file makes its folder."""


_places: list[str] = []


def _place(function: Any, file: str) -> str:
    """The folder that numba finds for the first function: NUMBA_CACHE_DIR, __pycache__, or one in the user's cache.

    None of them can be written where there is neither a package of the user's own nor a home; then __pycache__.
    """
    if not _places:
        kinds: list[Any] = caching.CacheImpl._locator_classes
        others = (kind for kind in kinds if kind is not Locator)
        found = (locator for kind in others if (locator := kind.from_function(function, file)) is not None)
        locator = next(found, None)
        _places.append(locator.get_cache_path() if locator else str(FOLDER / "__pycache__"))
    return _places[0]


class Files(caching.IndexDataCacheFile):
    """The files of one function; those of functions of other folders are read and written as numba does."""

    def load(self, key: Any) -> Any:
        if not isinstance(self._source_stamp, Stamp):
            return super().load(key)
        try:
            found = super().load(key)
        except Exception:  # cut short, or no pickle at all
            return None
        return found[1] if found and found[0] == (self._source_stamp, key) else None

    def save(self, key: Any, data: Any) -> None:
        if not isinstance(self._source_stamp, Stamp):
            return super().save(key, data)
        try:
            os.makedirs(self._cache_path, exist_ok=True)
            with _one_at_a_time(self._cache_path):
                super().save(key, ((self._source_stamp, key), data))
        except OSError as error:
            _warn(self._cache_path, error.strerror or str(error))

    def _load_index(self) -> Any:
        try:
            return super()._load_index()
        except Exception:
            if not isinstance(self._source_stamp, Stamp):
                raise
            return {}


@contextmanager
def _one_at_a_time(folder: str) -> Iterator[None]:
    """Other processes wait, for a second at most: of an index that two write at once one's entry would be lost."""
    if fcntl is None:  # there folders cannot be opened either
        yield
        return
    place, end = os.open(folder, os.O_RDONLY), time.monotonic() + 1
    try:
        while time.monotonic() < end:
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.005)
            except OSError:  # a file system that knows no locks
                break
        yield
    finally:
        os.close(place)


@cache
def _warn(folder: str, reason: str) -> None:
    warnings.warn(
        f"compiled kernels cannot be kept in {folder}: {reason}; each start compiles them again: let NUMBA_CACHE_DIR "
        "name a folder with room for them",
        stacklevel=2,
    )


_WITH_THREADS: set[Any] = set()


def needs_threads(function: Any) -> Any:
    """Decorates what becomes a kernel with another one's parallel loop in it: its threads have to be there before it is
    taken from the disk. numba sees to that where the loop is its own; and a process whose threads are there must not
    fork, so other kernels do not start them."""
    _WITH_THREADS.add(function)
    return function


_load_as_numba_does = caching.Cache.load_overload


def _load(self: Any, signature: Any, target_context: Any) -> Any:
    """Take a compiled kernel from disk, or return None.

    numba first imports all that compiling needs, and SciPy where that is installed: a third of a small net's start.
    Whoever does compile does that anyway.
    """
    if not isinstance(self._impl.locator, Locator):
        return _load_as_numba_does(self, signature, target_context)
    rtsys.initialize(target_context)
    if self._py_func in _WITH_THREADS:
        _launch_threads()
    with self._guard_against_spurious_io_errors():
        return self._load_overload(signature, target_context)


def choose() -> None:
    """Let numba keep this folder's kernels so."""
    caching.CacheImpl._locator_classes.insert(0, Locator)
    caching.IndexDataCacheFile = Files  # type: ignore[misc]
    caching.Cache.load_overload = _load  # type: ignore[method-assign]
