"""The numbers of a .caffemodel or a .solverstate, read and written past protobuf.

A weights file is a NetParameter whose BlobProtos hold up to hundreds of millions of floats. protobuf would make a
Python object of each; here they are taken out of the bytes as arrays, and the small rest goes through protobuf.
Source: the protobuf encoding, and the field numbers of caffe.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

# message -> {field: message}: the way to the blobs of a NetParameter, in all three generations, and of a SolverState
_NESTED = {
    "state": {3: "blob"},
    "net": {2: "v1_layer", 100: "layer"},
    "layer": {7: "blob"},
    "v1_layer": {1: "v0_layer", 6: "blob"},
    "v0_layer": {50: "blob"},
}
_DATA, _DIFF, _DOUBLE_DATA, _DOUBLE_DIFF = 5, 6, 8, 9
_C3D_DATA = 6
_NUMBERS = {_DATA: "<f4", _DIFF: "<f4", _DOUBLE_DATA: "<f8", _DOUBLE_DIFF: "<f8"}


class WireError(ValueError):
    """The bytes are no protobuf message: truncated, or a length that leads past the end."""


def take_blobs(data: bytes, message: str = "net") -> tuple[bytes, list[np.ndarray]]:
    """Return a message's bytes without the numbers of its blobs, and the numbers: one flat array a blob.

    message: "net" for a NetParameter, "state" for a SolverState. The arrays (float32, in the order in which the
    blobs stand) are views of `data` where they can be; a blob without data gives an empty one. Raises WireError.
    """
    arrays: list[np.ndarray] = []
    rest = _strip(memoryview(data), message, arrays)
    return rest, arrays


def _strip(data: memoryview, message: str, arrays: list[np.ndarray]) -> bytes:
    if message == "blob":
        return _strip_blob(data, arrays)
    kept = []
    for field, kind, start, begin, end in _fields(data):
        nested = _NESTED[message].get(field)
        if nested and kind == BYTES:
            inner = _strip(data[begin:end], nested, arrays)
            kept.append(length_delimited(field, len(inner)) + inner)
        else:
            kept.append(bytes(data[start:end]))
    return b"".join(kept)


def _strip_blob(data: memoryview, arrays: list[np.ndarray]) -> bytes:
    if any((field, kind) == (_DATA, VARINT) for field, kind, *_ in _fields(data)):
        return _strip_c3d_blob(data, arrays)
    kept: list[bytes] = []
    parts: list[np.ndarray] = []
    for field, kind, start, begin, end in _fields(data):
        if field not in _NUMBERS:
            kept.append(bytes(data[start:end]))
        elif field in (_DATA, _DOUBLE_DATA):
            if kind not in (BYTES, FIXED32, FIXED64) or (end - begin) % np.dtype(_NUMBERS[field]).itemsize:
                raise WireError("the numbers of a blob have a wrong length")
            parts.append(np.frombuffer(data[begin:end], _NUMBERS[field]))
    values = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])
    arrays.append(values.astype(np.float32, copy=False))
    return b"".join(kept)


def _strip_c3d_blob(data: memoryview, arrays: list[np.ndarray]) -> bytes:
    """Of C3D's first version: fields 1 to 5 are num, channels, length, height and width, and 6 has the numbers."""
    dims, values = [0] * 5, np.empty(0, np.float32)
    for field, kind, _, begin, end in _fields(data):
        if field <= len(dims) and kind == VARINT:
            dims[field - 1] = _varint(data, begin)[0]
        elif (field, kind) == (_C3D_DATA, BYTES):
            if (end - begin) % values.itemsize:
                raise WireError("the numbers of a blob have a wrong length")
            values = np.frombuffer(data[begin:end], _NUMBERS[_DATA])
    arrays.append(values)
    return _shape_bytes(dims)


def _fields(data: memoryview) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (field, wire type, start of the tag, begin of the value, end of the value)."""
    position, size = 0, len(data)
    while position < size:
        start = position
        tag, position = _varint(data, position)
        field, kind = tag >> 3, tag & 7
        if kind == VARINT:
            end = _varint(data, position)[1]
        elif kind == FIXED64:
            end = position + 8
        elif kind == FIXED32:
            end = position + 4
        elif kind == BYTES:
            length, position = _varint(data, position)
            end = position + length
        else:
            raise WireError(f"unknown wire type {kind} at byte {start}")
        if end > size or field == 0:
            raise WireError(f"a field that starts at byte {start} leads past the end")
        yield field, kind, start, position, end
        position = end


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if position >= len(data):
            raise WireError("the file ends inside a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
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
