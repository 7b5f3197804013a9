"""HDF5 files as files of their own, and what is wrong with them as one kind of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from caffe_compat.errors import CaffeCompatError


@contextmanager
def opened(h5py: Any, path: str) -> Iterator[Any]:
    """An HDF5 file to read. Raises OSError, and ValueError for what cannot be read while it is open.

    A file that has a part of it in another one is not read: links to other files, datasets stored in other files, and
    those put together of other files'. Such a part could be any file of this machine.
    """
    try:
        with h5py.File(path, "r") as file:
            _check_whole(h5py, file)
            yield file
    except (CaffeCompatError, OSError, ValueError):
        raise
    except Exception as error:  # over a damaged file h5py raises half a dozen kinds
        raise ValueError(str(error)) from error


def _check_whole(h5py: Any, file: Any) -> None:
    def link_outside(name: str, link: Any) -> str | None:
        return f"'{name}' lies in '{link.filename}'" if isinstance(link, h5py.ExternalLink) else None

    def stored_outside(name: str, item: Any) -> str | None:
        outside = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
        return f"the numbers of '{name}' lie in another file" if outside else None

    found = file.visititems_links(link_outside) or file.visititems(stored_outside)
    if found:
        raise ValueError(f"{found}, and other files are not read; copy it into this one")
