"""Writing files so that a crash at any moment leaves the old file or the new one, never half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from caffe_compat.errors import CaffeCompatError


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
