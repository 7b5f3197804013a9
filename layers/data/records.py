"""The records of an LMDB, in the order of their keys."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.optional_import import optional_import


class Records:
    """A place among the records of an LMDB; behind the last comes the first.

    The database is open within `with records:` only, so that others can open it in between (LMDB opens a file once a
    process). Whoever reads it at the same time shares it.

    Raises owner's error where it cannot be opened, and where it is empty.
    """

    def __init__(self, owner: ErrorFactory, path: str):
        self._owner, self._source = owner, path
        path = os.path.realpath(path)
        is_its_file = os.path.basename(path) == "data.mdb" and os.path.isfile(path)
        self._path = os.path.dirname(path) if is_its_file else path
        self._depth = 0
        self.key: bytes | None = None  # where it stands; None: before it was first opened

    def __enter__(self) -> Records:
        if self._depth == 0:
            environment = _shared(self._owner, self._source, self._path)
            self._transaction: Any = environment.begin(buffers=False)
            self._cursor: Any = self._transaction.cursor()
            self._find()
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._close()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values."""
        with self:
            yield from self._cursor.iternext()

    def item(self) -> tuple[bytes, bytes]:
        """Key and value of the record at this place."""
        return self._cursor.item()

    def advance(self) -> None:
        if not self._cursor.next():
            self._cursor.first()
        self.key = self._cursor.key()

    def skip(self, count: int) -> None:
        """Advance so many times; whole rounds change nothing."""
        for _ in range(count % self._transaction.stat()["entries"]):
            self.advance()

    def go_to(self, key: bytes) -> bool:
        """Stand at this key; returns whether it is there."""
        with self:
            found = self._cursor.set_key(key)
            if found:
                self.key = key
        return found

    def _find(self) -> None:
        """Stand where we stood; where that record is gone, at the next one."""
        if not (self.key is not None and self._cursor.set_range(self.key)) and not self._cursor.first():
            self._close()
            raise self._owner.error(f"the LMDB '{self._source}' is empty")
        self.key = self._cursor.key()

    def _close(self) -> None:
        self._transaction.abort()
        _release(self._path)


_lock = threading.Lock()
_open: dict[str, list[Any]] = {}  # of each path that is open: the environment, and how many read it


def _shared(owner: ErrorFactory, source: str, path: str) -> Any:
    with _lock:
        if path not in _open:
            _open[path] = [_environment(owner, source, path), 0]
        _open[path][1] += 1
        return _open[path][0]


def _release(path: str) -> None:
    with _lock:
        _open[path][1] -= 1
        if _open[path][1] == 0:
            _open.pop(path)[0].close()


def _environment(owner: ErrorFactory, source: str, path: str) -> Any:
    lmdb = optional_import(owner.error, "lmdb", "lmdb")
    is_folder = os.path.isdir(path)
    try:
        environment = lmdb.open(path, readonly=True, lock=False, subdir=is_folder)
    except lmdb.Error as error:
        if "already open" in str(error):
            raise owner.error(
                f"the LMDB '{source}' is open in this program already, by a call of lmdb.open, and LMDB opens it only "
                "once; close that first: env.close(), or `with lmdb.open(...) as env:`"
            ) from error
        raise owner.error(f"cannot open the LMDB '{source}': {error}") from error
    size = os.path.getsize(os.path.join(path, "data.mdb") if is_folder else path)
    if size < _bytes_in_use(environment):  # reading behind the end of a mapped file would end the program
        environment.close()
        raise owner.error(f"the LMDB '{source}' is cut off after {size} bytes; copy it again")
    return environment


def _bytes_in_use(environment: Any) -> int:
    """The least that the file of an LMDB has: two pages about itself, and those with records."""
    stat = environment.stat()
    return stat["psize"] * (2 + sum(stat[f"{kind}_pages"] for kind in ("branch", "leaf", "overflow")))
