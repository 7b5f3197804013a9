"""Reads the data.mdb of an LMDB, its pages copied and checked one by one.

liblmdb maps the file and trusts what stands in it: a damaged page, or a file that is cut short, ends the program. Here
both are a LmdbError. Source: the data format 1 of LMDB, as lmdb.h and the struct MDB_page of mdb.c describe it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from types import TracebackType

MAGIC, VERSION = 0xBEEFC0DE, 1
BRANCH, LEAF, OVERFLOW = 1, 2, 4  # flags of a page
BIG_DATA = 1  # flag of a record: its value lies in pages of its own
_NONE = 2**64 - 1  # in the place of a page's number
_HEADER = struct.Struct("<QHHHH")  # number, unused, flags, end of the entries' places, unused
_META = struct.Struct("<16xIIQQI44x4xHHQQQQQQQ")  # behind the database of free pages, the one of the records
_NODE = struct.Struct("<HHHH")  # size of the value, or the page below; flags; size of the key
_DEEPEST = 32  # levels of pages, LMDB's own limit

Node = tuple[
    bytes, int, int, int
]  # key, flags, size of the value or number of the page below, where the value begins


class LmdbError(ValueError):
    """A file is no LMDB, a part of it is missing, or a page of it cannot be."""


class LmdbFile:
    """The records of an LMDB in the order of their keys, and a place among them. Use it in a `with`.

    path: its folder, or its file. Raises OSError where it cannot be read, and LmdbError, here and when it is read.
    """

    def __init__(self, path: str):
        file = os.path.join(path, "data.mdb") if os.path.isdir(path) else path
        self._file = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        self._path: list[
            tuple[list[Node], int]
        ] = []  # from the root down: the entries of a page, and which one
        try:
            self._page_size, self._depth, self.entries, self._root, self._last = self._newest_meta()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> LmdbFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._file)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values. Raises LmdbError where there are more than the file says."""
        there, count = self.first(), 0
        while there:
            count += 1
            if count > self.entries:
                raise LmdbError(f"it has more than its {self.entries} records")
            yield self.item()
            there = self.next()

    def first(self) -> bool:
        """Go to the first record; returns whether there is one."""
        self._path = []
        return self._root != _NONE and self._descend(self._root)

    def next(self) -> bool:
        """Go to the next record; returns whether there is one."""
        while self._path:
            nodes, at = self._path.pop()
            if at + 1 < len(nodes):
                self._path.append((nodes, at + 1))
                return len(self._path) == self._depth or self._descend(nodes[at + 1][2])
        return False

    def seek(self, key: bytes) -> bool:
        """Go to the first record whose key is not below this one; returns whether there is one."""
        self._path = []
        page = self._root
        while page != _NONE and len(self._path) < self._depth:
            nodes = self._nodes(page)
            is_leaf = len(self._path) == self._depth - 1
            below = sum(node[0] < key if is_leaf else node[0] <= key for node in nodes[not is_leaf :])
            self._path.append((nodes, below))
            if is_leaf and below == len(nodes):
                self._path[-1] = (nodes, below - 1)
                return self.next()
            page = nodes[below][2]
        return bool(self._path)

    def key(self) -> bytes:
        """The key of the record at this place."""
        nodes, at = self._path[-1]
        return nodes[at][0]

    def item(self) -> tuple[bytes, bytes]:
        """Key and value of the record at this place."""
        nodes, at = self._path[-1]
        key, flags, size, begin = nodes[at]
        if flags & ~BIG_DATA:
            raise LmdbError("it has several values for a key, as Caffe's have not")
        if flags & BIG_DATA:
            page = int.from_bytes(self._read(begin, 8), "little")
            self._check(page, OVERFLOW, self._read(page * self._page_size, _HEADER.size))
            begin = page * self._page_size + _HEADER.size
        return key, self._read(begin, size)

    # ---- pages ------------------------------------------------------------------------------------------------
    def _newest_meta(self) -> tuple[int, int, int, int, int]:
        """Page size, levels, number of records, root and last page, as the newer of the two first pages has them."""
        page_size = self._meta(0)[1]
        if not 256 <= page_size <= 65536:
            raise LmdbError(f"its pages have {page_size} bytes")
        _, _, depth, entries, root, last = max(self._meta(0), self._meta(page_size), key=lambda meta: meta[0])
        return page_size, depth, entries, root, last

    def _meta(self, begin: int) -> tuple[int, int, int, int, int, int]:
        magic, version, _, _, page_size, flags, depth, _, _, _, entries, root, last, number = _META.unpack(
            self._read(begin, _META.size)
        )
        if (magic, version) != (MAGIC, VERSION):
            raise LmdbError("it does not begin as one does")
        if flags or depth > _DEEPEST or (depth == 0) != (root == _NONE):
            raise LmdbError("its first pages say what cannot be, or what Caffe's have not")
        return number, page_size, depth, entries, root, last

    def _descend(self, page: int) -> bool:
        """Go to the first record below a page."""
        while len(self._path) < self._depth:
            nodes = self._nodes(page)
            self._path.append((nodes, 0))
            page = nodes[0][2]
        return True

    def _nodes(self, page: int) -> list[Node]:
        """The entries of the page at the present level."""
        content = self._read(page * self._page_size, self._page_size)
        is_leaf = len(self._path) == self._depth - 1
        end = self._check(page, LEAF if is_leaf else BRANCH, content)
        places = struct.unpack_from(f"<{(end - _HEADER.size) // 2}H", content, _HEADER.size)
        if not places:
            raise LmdbError(f"page {page} is empty")
        return [self._node(page, content, place, is_leaf) for place in places]

    def _node(self, page: int, content: bytes, place: int, is_leaf: bool) -> Node:
        if place + _NODE.size > len(content):
            raise LmdbError(f"page {page} names a place behind its end")
        low, high, flags, key_size = _NODE.unpack_from(content, place)
        begin = place + _NODE.size + key_size
        size = low | high << 16
        inside = (8 if flags & BIG_DATA else size) if is_leaf else 0
        if begin + inside > len(content):
            raise LmdbError(f"page {page} has a record that leads past its end")
        key = content[place + _NODE.size : begin]
        if is_leaf:
            return key, flags, size, page * self._page_size + begin
        return key, 0, size | flags << 32, 0

    def _check(self, page: int, kind: int, header: bytes) -> int:
        """Raise LmdbError where a page is not what it should be; returns where the places of its entries end."""
        number, _, flags, end, _ = _HEADER.unpack_from(header)
        if number != page or not flags & kind or page > self._last:
            raise LmdbError(f"page {page} is not what others say of it")
        if kind != OVERFLOW and not _HEADER.size <= end <= self._page_size:
            raise LmdbError(f"page {page} says what cannot be")
        return end

    def _read(self, begin: int, size: int) -> bytes:
        content = os.pread(self._file, size, begin) if begin < 2**63 else b""
        if len(content) < size:
            raise LmdbError(f"it is cut off: there is nothing at byte {begin + len(content)}; copy it again")
        return content
