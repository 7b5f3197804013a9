"""Writing files and folders so that a crash at any moment leaves the old one or the new one, never half of one; reading
text, JSON and .npz."""

from __future__ import annotations

import codecs
import errno
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from caffe_compat.errors import CaffeCompatError, DataError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Give the name of a temporary file in the same folder; rename it to `path` (fsynced) when the block ends well.

    Raises CaffeCompatError, with the file's name, where it cannot be written.
    """
    temporary = ""
    try:
        check_writable(path)
        folder, name = os.path.split(os.path.abspath(path))
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        os.close(handle)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise CaffeCompatError(f"cannot be written: {error.strerror}", file=os.fspath(path)) from error
        raise


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """Give the name of a temporary folder beside `path`; it gets that name when the block ends well, and goes else.

    Missing folders above are made. Raises FileExistsError where there is something of this name, else OSError where
    it cannot be written.
    """
    above, name = os.path.split(os.path.abspath(path))
    try:
        os.makedirs(above, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), above) from error
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))
    temporary = tempfile.mkdtemp(prefix=f".{name}.", dir=above)
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise CaffeCompatError where no file of this name can be written: to know before hours of work, not after."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        reason = f"there is no folder '{folder}'; make it first"
    elif os.path.isdir(path):
        reason = "this is a folder; name a file"
    elif not os.access(folder, os.W_OK):
        reason = f"the folder '{folder}' is write-protected"
    else:
        return
    raise CaffeCompatError(f"cannot be written: {reason}", file=os.fspath(path))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text in UTF-8, as `replacing` does."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)


def read_text(path: str | os.PathLike[str], what: str) -> str:
    """The text of a file: UTF-8, or UTF-16 with its mark; other bytes are taken for Latin-1.

    what: what is read, in words. Raises DataError, which names the file.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a zero in it
        raise DataError(
            f"cannot read {what}: {getattr(error, 'strerror', None) or error}", file=os.fspath(path)
        ) from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def parse_json(text: str | bytes) -> Any:
    """What a text in JSON holds. Raises ValueError, also where it is nested too deep to be read."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def read_npz(path: str | os.PathLike[str], what: str = ".npz of number arrays") -> dict[str, np.ndarray]:
    """All arrays of an .npz file, by name. Raises DataError where it is none, a damaged one, or has pickles in it."""
    try:
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError("no zip file, or only a part of one")
            return dict(np.load(file, allow_pickle=False))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", file=os.fspath(path)) from error
    except Exception as error:  # numpy, zipfile and zlib each have their own
        raise DataError(f"this is no {what} ({error})", file=os.fspath(path)) from error
