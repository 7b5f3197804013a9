"""The records of an LMDB, in the order of their keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.data.lmdb_file import LmdbError, LmdbFile


class Records:
    """A place among the records of an LMDB; behind the last comes the first.

    The database is open within `with records:` only, so that others can put another in its place in between.

    Raises owner's error where it cannot be opened, where it is empty, and where it is damaged.
    """

    def __init__(self, owner: ErrorFactory, path: str):
        self._owner, self._path = owner, path
        self._depth = 0
        self._file: LmdbFile
        self.key: bytes | None = None  # where it stands; None: before it was first opened

    def __enter__(self) -> Records:
        if self._depth == 0:
            with self._told("open"):
                self._file = LmdbFile(self._path)
            try:
                self._find()
            except BaseException:
                self._file.close()
                raise
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._file.close()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values."""
        with self, self._told("read"):
            yield from self._file

    def item(self) -> tuple[bytes, bytes]:
        """Key and value of the record at this place."""
        with self._told("read"):
            return self._file.item()

    def advance(self) -> None:
        with self._told("read"):
            if not self._file.next():
                self._file.first()
            self.key = self._file.key()

    def skip(self, count: int) -> None:
        """Advance so many times; whole rounds change nothing."""
        for _ in range(count % max(self._file.entries, 1)):
            self.advance()

    def go_to(self, key: bytes) -> bool:
        """Stand at this key; returns whether it is there."""
        with self:
            there, found = self.key, self.seek(key) and self.key == key
            if not found:
                self.key = there
        return found

    def seek(self, key: bytes) -> bool:
        """Stand at the first record whose key is not below this one; returns whether there is one."""
        with self._told("read"):
            if not self._file.seek(key):
                return False
            self.key = self._file.key()
        return True

    @property
    def count(self) -> int:
        """How many records there are."""
        return self._file.entries

    def _find(self) -> None:
        """Stand where we stood; where that record is gone, at the next one."""
        with self._told("read"):
            if not (self.key is not None and self._file.seek(self.key)) and not self._file.first():
                raise self._owner.error(f"the LMDB '{self._path}' is empty")
            self.key = self._file.key()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            raise self._owner.error(f"cannot {what} the LMDB '{self._path}': {reason}") from error
        except LmdbError as error:
            raise self._owner.error(f"cannot {what} the LMDB '{self._path}': {error}") from error
