"""Writes LMDBs of Datums and AnnotatedDatums."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from caffe_compat.errors import DataError
from caffe_compat.files import check_writable
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, Datum
from caffe_compat.tools.file_errors import FileErrors

BATCH = 1000  # Datums written at once
START_SIZE = 2**26  # bytes; doubled as often as need be


class DatabaseWriter:
    """A new LMDB: `with DatabaseWriter(path) as db: db.put(key, datum)`. It gets its name when the block ends well.

    replace: whether an LMDB of this name goes when the new one is whole. Raises DataError where something else of
    this name exists, and where it cannot be written. Needs the extra `lmdb`.
    """

    def __init__(self, path: str, replace: bool = False):
        self.path, self._replace = os.path.abspath(path), replace
        errors = FileErrors(path)
        self._lmdb = optional_import(errors.error, "lmdb", "lmdb")
        if os.path.lexists(path) and not (replace and _is_lmdb(path)):
            raise errors.error(
                f"exists already{' and is no LMDB' if replace else ''}; remove it, or name another"
            )
        if not os.path.lexists(path):
            check_writable(self.path)
        self._pending: list[tuple[bytes, bytes]] = []

    def __enter__(self) -> DatabaseWriter:
        folder, name = os.path.split(self.path)
        self._temporary = tempfile.mkdtemp(prefix=f".{name}.", dir=folder)
        # not on the disk after each batch: all at once, before the LMDB gets its name
        self._environment: Any = self._lmdb.open(self._temporary, map_size=START_SIZE, mode=0o644, sync=False)
        return self

    def put(self, key: str, datum: Datum | AnnotatedDatum) -> None:
        self._pending.append((os.fsencode(key), datum.SerializeToString()))
        if len(self._pending) == BATCH:
            self._commit()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._commit()
                self._environment.sync(True)
            self._environment.close()
            if error is None:
                os.unlink(os.path.join(self._temporary, "lock.mdb"))  # is about processes that are gone
                os.chmod(self._temporary, 0o755)
                if self._replace and _is_lmdb(self.path):
                    shutil.rmtree(self.path)
                os.rename(self._temporary, self.path)
        except OSError as failed:
            raise DataError(f"cannot be written: {failed.strerror}", file=self.path) from failed
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _commit(self) -> None:
        try:
            with self._environment.begin(write=True) as transaction:
                for key, value in self._pending:
                    transaction.put(key, value)
        except self._lmdb.MapFullError:
            self._environment.set_mapsize(2 * self._environment.info()["map_size"])
            self._commit()
        except self._lmdb.Error as error:
            raise DataError(f"cannot be written: {error}", file=self.path) from error
        self._pending.clear()


def _is_lmdb(path: str) -> bool:
    """Whether a path is an LMDB's folder, and has nothing else in it."""
    if os.path.islink(path) or not os.path.isdir(path):
        return False
    names = set(os.listdir(path))
    return "data.mdb" in names and names <= {"data.mdb", "lock.mdb"}
