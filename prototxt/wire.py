"""The numbers of a .caffemodel or a .solverstate, read and written past protobuf.

A weights file is a NetParameter whose BlobProtos hold up to hundreds of millions of floats. protobuf would make a
Python object of each; here they go from the file to where they belong, and the small rest goes through protobuf.
Source: the protobuf encoding, and the field numbers of caffe.proto.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

from caffe_compat.errors import WeightsError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# message -> {field: message, or "" for a plain one}: what counts of a NetParameter with weights, in all three
# generations, and of a SolverState. Other fields have other meanings in other forks, so they are not even kept.
_READ = {
    "state": {1: "", 2: "", 3: "blob", 4: "", 5: "", 6: ""},
    "net": {1: "", 2: "v1_layer", 100: "layer"},
    "layer": {1: "", 7: "blob"},
    "v1_layer": {1: "v0_layer", 4: "", 6: "blob"},
    "v0_layer": {1: "", 50: "blob"},
    "blob": {1: "", 2: "", 3: "", 4: "", 7: ""},
}
_DATA, _DIFF, _DOUBLE_DATA = 5, 6, 8
_NUMBERS = {_DATA: "<f4", _DOUBLE_DATA: "<f8"}
_RAW_TYPE, _RAW = 10, 12  # NVCaffe's, and OpenCV's for half precision
RAW_TYPES = ("<f8", "<f4", "<f2", "<i4", "<u4")  # by the number in raw_data_type
_C3D_DATA = 6
_LENGTHS = {FIXED64: 8, FIXED32: 4}
_PART = 1 << 22  # bytes that are copied at once
_WINDOW = 1 << 12  # bytes that are kept of those looked at one by one

Piece = tuple[int, int, str]
Field = tuple[
    int, int, int, int, int
]  # field, wire type, start of the tag, begin of the value, end of the value


class WireError(ValueError):
    """The bytes are no protobuf message: truncated, or a length that leads past the end."""


class FileBytes:
    """The bytes of a file as a sequence; those that nobody looks at are not read. Raises OSError.

    They are copied, not mapped: a file that is cut short meanwhile is a WeightsError, where a mapped one would end the
    program.
    """

    def __init__(self, path: str):
        self._path, self._file = path, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        self._size = os.fstat(self._file).st_size
        self._begin, self._window = 0, b""

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, key: int) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> bytes: ...
    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, slice):
            begin, end, _ = key.indices(self._size)
            result = bytearray(max(0, end - begin))
            self.read_into(result, begin)
            return bytes(result)
        if not 0 <= key - self._begin < len(self._window):
            self._begin, self._window = key, self[key : key + _WINDOW]
        return self._window[key - self._begin]

    def read_into(self, memory: bytearray | memoryview, begin: int) -> None:
        """Fill memory with the bytes from `begin` on. Raises WeightsError where they are there no longer."""
        rest = memoryview(memory)
        while rest.nbytes:
            count = os.preadv(self._file, [rest[:_PART]], begin)
            if count == 0:
                raise WeightsError("was cut short while it was read; get it again", file=self._path)
            rest, begin = rest[count:], begin + count


Data = bytes | FileBytes


class Numbers:
    """The numbers of a blob where they stand in a file: an array that is read when it is wanted.

    data: the bytes of the file. pieces: (begin, end, form) of each run of numbers in them.
    """

    def __init__(
        self, data: Data | memoryview, pieces: Sequence[Piece], shape: tuple[int, ...] | None = None
    ):
        self._data, self._pieces = data, pieces
        self.size = sum((end - begin) // np.dtype(form).itemsize for begin, end, form in pieces)
        self.shape = (self.size,) if shape is None else shape

    def reshape(self, shape: tuple[int, ...]) -> Numbers:
        """The same numbers in a shape of as many."""
        return Numbers(self._data, self._pieces, shape)

    def array(self) -> np.ndarray:
        """An array of them, float32."""
        result = np.empty(self.shape, np.float32)
        self.copy_to(result)
        return result

    def copy_to(self, array: np.ndarray) -> None:
        """Write them into a contiguous array of as many elements."""
        flat, done = array.reshape(-1), 0
        for begin, end, form in self._pieces:
            count = (end - begin) // np.dtype(form).itemsize
            self._copy(begin, form, flat[done : done + count])
            done += count

    def _copy(self, begin: int, form: str, flat: np.ndarray) -> None:
        if not isinstance(self._data, FileBytes):
            flat[...] = np.frombuffer(self._data, form, flat.size, begin)
        elif flat.dtype == np.dtype(form):
            self._data.read_into(flat.view(np.uint8).data, begin)
        else:
            size = np.dtype(form).itemsize
            for start in range(0, flat.size, _PART // size):
                part = np.empty(min(_PART // size, flat.size - start), form)
                self._data.read_into(part.view(np.uint8).data, begin + start * size)
                flat[start : start + part.size] = part


def bytes_of(path: str) -> Data:
    """The bytes of a file; what nobody looks at is not read. Raises OSError."""
    if os.path.isfile(path):
        return FileBytes(path)
    with open(path, "rb") as file:  # a pipe
        return file.read()


def take_blobs(data: Data, message: str = "net") -> tuple[bytes, list[Numbers]]:
    """Return of a message its names and its blobs' shapes, as bytes, and the blobs' numbers, in their order.

    message: "net" for a NetParameter, "state" for a SolverState. A blob without data has no numbers. Raises WireError.
    """
    blobs: list[Numbers] = []
    return _strip(data, 0, len(data), message, blobs), blobs


def _strip(data: Data, begin: int, end: int, message: str, blobs: list[Numbers]) -> bytes:
    if message == "blob":
        return _strip_blob(data, begin, end, blobs)
    kept = []
    read = _READ[message]
    for field, kind, start, inside, stop in _fields(data, begin, end):
        nested = read.get(field)
        if nested and kind == BYTES:
            inner = _strip(data, inside, stop, nested, blobs)
            kept.append(length_delimited(field, len(inner)) + inner)
        elif nested == "":
            kept.append(data[start:stop])
    return b"".join(kept)


def _strip_blob(data: Data, begin: int, end: int, blobs: list[Numbers]) -> bytes:
    fields = list(_fields(data, begin, end))
    if any((field, kind) == (_DATA, VARINT) for field, kind, *_ in fields):
        return _strip_c3d_blob(data, fields, blobs)
    pieces: list[Piece] = []
    raw_type = 0
    for field, kind, _, inside, stop in fields:
        if field == _RAW_TYPE and kind == VARINT:
            raw_type = _varint(data, inside, stop)[0]
        elif field in _NUMBERS and kind in (BYTES, FIXED32, FIXED64):
            pieces.append(_piece(inside, stop, _NUMBERS[field]))
        elif field in _NUMBERS:
            raise WireError("the numbers of a blob have a wrong length")
    for field, kind, _, inside, stop in fields:
        if field == _RAW and kind == BYTES:
            if raw_type >= len(RAW_TYPES):
                raise WireError(f"raw_data_type {raw_type} is unknown")
            pieces.append(_piece(inside, stop, RAW_TYPES[raw_type]))
    blobs.append(Numbers(data, pieces))
    return b"".join(data[start:stop] for field, _, start, _, stop in fields if field in _READ["blob"])


def _strip_c3d_blob(data: Data, fields: Sequence[Field], blobs: list[Numbers]) -> bytes:
    """Of C3D's first version: fields 1 to 5 are num, channels, length, height and width, and 6 has the numbers."""
    dims: list[int] = [0] * 5
    pieces: list[Piece] = []
    for field, kind, _, inside, stop in fields:
        if field <= len(dims) and kind == VARINT:
            dims[field - 1] = _varint(data, inside, stop)[0]
        elif (field, kind) == (_C3D_DATA, BYTES):
            pieces = [_piece(inside, stop, _NUMBERS[_DATA])]
    blobs.append(Numbers(data, pieces))
    return _shape_bytes(dims)


def _piece(begin: int, end: int, form: str) -> Piece:
    if (end - begin) % np.dtype(form).itemsize:
        raise WireError("the numbers of a blob have a wrong length")
    return begin, end, form


def _fields(data: Data, position: int, size: int) -> Iterator[Field]:
    """Yield the fields of the message that stands between two bytes of the data."""
    while position < size:
        start = position
        tag, position = _varint(data, position, size)
        field, kind = tag >> 3, tag & 7
        end = position + _LENGTHS.get(kind, 0)
        if kind == BYTES:
            length, position = _varint(data, position, size)
            end = position + length
        elif kind == VARINT:
            end = _varint(data, position, size)[1]
        elif kind not in _LENGTHS:
            raise WireError(f"unknown wire type {kind} at byte {start}")
        if end > size or field == 0:
            raise WireError(f"a field that starts at byte {start} leads past the end")
        yield field, kind, start, position, end
        position = end


def _varint(data: Data, position: int, size: int) -> tuple[int, int]:
    """The number that begins at a byte, and the byte behind it."""
    if position < size and (byte := data[position]) < 0x80:  # as most are
        return byte, position + 1
    value = 0
    for shift in range(0, 64, 7):
        if position >= size:
            raise WireError("the file ends inside a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise WireError(f"a number at byte {position} is longer than 64 bits")


def length_delimited(field: int, length: int) -> bytes:
    """The tag and length that stand before a nested message, a string or packed numbers."""
    return _encode(field << 3 | BYTES) + _encode(length)


def _encode(value: int) -> bytes:
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def blob_bytes(data: np.ndarray, diff: np.ndarray | None = None) -> list[bytes | memoryview]:
    """A BlobProto of float32 arrays, in pieces to be written one after the other (no copy of the numbers)."""
    pieces: list[bytes | memoryview] = [_shape_bytes(data.shape)]
    for field, array in ((_DATA, data), (_DIFF, diff)):
        if array is not None:
            flat = np.ascontiguousarray(array, "<f4").reshape(-1)
            pieces += [length_delimited(field, flat.nbytes), flat.view(np.uint8).data]
    return pieces


def _shape_bytes(dims: Sequence[int]) -> bytes:
    packed = b"".join(map(_encode, dims))
    shape = length_delimited(1, len(packed)) + packed
    return length_delimited(7, len(shape)) + shape


def size_of(pieces: list[bytes | memoryview]) -> int:
    """Bytes of all pieces together."""
    return sum(len(piece) for piece in pieces)
