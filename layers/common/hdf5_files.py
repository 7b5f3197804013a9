"""HDF5 files as files of their own."""

from __future__ import annotations

from typing import Any


def check_whole(file: Any) -> None:
    """Raise ValueError where a part of an open HDF5 file lies in another one: such a part could be any file here.

    Links to other files, datasets stored in other files, and datasets put together of other files' have it so.
    """
    import h5py

    def link_outside(name: str, link: Any) -> str | None:
        return f"'{name}' lies in '{link.filename}'" if isinstance(link, h5py.ExternalLink) else None

    def stored_outside(name: str, item: Any) -> str | None:
        outside = isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
        return f"the numbers of '{name}' lie in another file" if outside else None

    found = file.visititems_links(link_outside) or file.visititems(stored_outside)
    if found:
        raise ValueError(f"{found}, and other files are not read; copy it into this one")
