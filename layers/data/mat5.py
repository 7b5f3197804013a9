"""Reads the arrays of .mat files of level 5, which MATLAB writes by default and with -v6 and -v7.

SciPy does so in compiled code that a damaged file makes end the program. Numbers, logical arrays, texts and cells of
these are read; structs, objects, functions and sparse arrays are left out. Source: MathWorks, MAT-File Format.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}  # by data type
MATRIX, COMPRESSED = 14, 15
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}  # by data type
CELL, CHAR = 1, 4  # classes of arrays
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = 8  # a flag of arrays
_HEADER = 128
_DEEPEST = 50  # cells within cells


class MatError(ValueError):
    """A file is no .mat of level 5, or a damaged one."""


@dataclass
class _Element:
    kind: int
    content: memoryview


def read_mat(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays of a file by name, as scipy.io.loadmat has them. Raises OSError, and MatError."""
    content = memoryview(Path(path).read_bytes())
    if content[:10] == b"MATLAB 7.3":
        raise MatError("it is of MATLAB 7.3, which is HDF5; save it by save('FILE.mat', ..., '-v7')")
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:128]))
    if order is None:
        raise MatError("it is no .mat of MATLAB 5 or later; save it by save('FILE.mat', ..., '-v7')")
    result: dict[str, np.ndarray] = {}
    for element in _elements(content[_HEADER:], order):
        if element.kind == COMPRESSED:
            element = next(_elements(_inflated(element.content), order), _Element(0, content[:0]))
        if element.kind == MATRIX:
            name, array = _array(element.content, order, 0)
            if array is not None:
                result[name] = array
    return result


def _inflated(content: memoryview) -> memoryview:
    try:
        return memoryview(zlib.decompress(content))
    except zlib.error as error:
        raise MatError(f"a part of it cannot be decompressed ({error})") from error


def _elements(content: memoryview, order: str) -> Iterator[_Element]:
    at = 0
    while at + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}2I", content, at)
        begin = at + 8
        if kind >> 16:  # a small one: its content stands beside its size
            kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
            at += 8
            if size > 4:
                raise MatError("a small element has more than 4 bytes")
        else:
            at = begin + size + (0 if kind == COMPRESSED else -size % 8)
        if begin + size > len(content):
            raise MatError("an element leads past the end; a part of the file is missing")
        yield _Element(kind, content[begin : begin + size])


def _array(content: memoryview, order: str, depth: int) -> tuple[str, np.ndarray | None]:
    """Name and value of an array; None for one of a class that is not read."""
    if not len(content):
        return "", np.zeros((0, 0))
    if depth > _DEEPEST:
        raise MatError("it has cells within cells without end")
    elements = _elements(content, order)
    head = [next(elements, None) for _ in range(3)]
    if None in head:
        raise MatError("an array has no dims or no name")
    flags, dims, name = (element.content for element in head if element)
    if len(flags) < 4 or len(dims) % 4:
        raise MatError("an array has flags or dims that cannot be")
    word = struct.unpack_from(f"{order}I", flags)[0]
    shape = struct.unpack(f"{order}{len(dims) // 4}i", dims)
    if min(shape, default=-1) < 0 or len(shape) > 32:
        raise MatError(f"an array has the dims {shape}")
    return bytes(name).decode("latin-1"), _value(word & 0xFF, word >> 8, shape, elements, order, depth)


def _value(
    kind: int, flags: int, shape: tuple[int, ...], elements: Iterator[_Element], order: str, depth: int
) -> np.ndarray | None:
    if kind == CELL:
        cells = [_array(one.content, order, depth + 1)[1] for one in elements if one.kind == MATRIX]
        flat = np.empty(len(cells), object)
        flat[:] = cells
        return _shaped(flat, shape)
    data = next(elements, None)
    if data is None:
        raise MatError("an array has no content")
    if kind == CHAR:
        return _texts(data, shape, order)
    if kind not in CLASSES or flags & _COMPLEX:
        return None
    if data.kind not in NUMBERS or len(data.content) % np.dtype(NUMBERS[data.kind]).itemsize:
        raise MatError("the numbers of an array cannot be read")
    numbers = np.frombuffer(data.content, order + NUMBERS[data.kind])
    return _shaped(numbers.astype(CLASSES[kind]), shape)


def _texts(data: _Element, shape: tuple[int, ...], order: str) -> np.ndarray:
    """One text for each row of characters."""
    if data.kind not in TEXTS:
        raise MatError("the characters of a text cannot be read")
    encoding = TEXTS[data.kind]
    if encoding.startswith(("utf-16", "utf-32")):
        encoding += "-le" if order == "<" else "-be"
    letters = np.array(list(bytes(data.content).decode(encoding, "replace")), "U1")
    rows = _shaped(letters, shape)
    if rows.size == 0 or rows.ndim != 2:
        return np.zeros(0, "U1")
    return np.array(["".join(row) for row in rows])


def _shaped(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if math.prod(shape) != flat.size:
        raise MatError(f"an array has {flat.size} elements for the dims {shape}")
    return flat.reshape(shape, order="F")
