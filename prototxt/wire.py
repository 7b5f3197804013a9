"""The numbers of a .caffemodel or a .solverstate, read and written past protobuf.

A weights file is a NetParameter whose BlobProtos hold up to hundreds of millions of floats. protobuf would make a
Python object of each; here they are taken out of the bytes as arrays, and the small rest goes through protobuf.
Source: the protobuf encoding, and the field numbers of caffe.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

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


class WireError(ValueError):
    """The bytes are no protobuf message: truncated, or a length that leads past the end."""


def take_blobs(data: bytes, message: str = "net") -> tuple[bytes, list[np.ndarray]]:
    """Return of a message its names and its blobs' shapes, as bytes, and the numbers: one flat array a blob.

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
        nested = _READ[message].get(field)
        if nested and kind == BYTES:
            inner = _strip(data[begin:end], nested, arrays)
            kept.append(length_delimited(field, len(inner)) + inner)
        elif nested == "":
            kept.append(bytes(data[start:end]))
    return b"".join(kept)


def _strip_blob(data: memoryview, arrays: list[np.ndarray]) -> bytes:
    fields = list(_fields(data))
    if any((field, kind) == (_DATA, VARINT) for field, kind, *_ in fields):
        return _strip_c3d_blob(data, arrays)
    parts: list[np.ndarray] = []
    raw_type = 0
    for field, kind, _, begin, end in fields:
        if field == _RAW_TYPE and kind == VARINT:
            raw_type = _varint(data, begin)[0]
        elif field in _NUMBERS and kind in (BYTES, FIXED32, FIXED64):
            parts.append(_array(data[begin:end], _NUMBERS[field]))
        elif field in _NUMBERS:
            raise WireError("the numbers of a blob have a wrong length")
    for field, kind, _, begin, end in fields:
        if field == _RAW and kind == BYTES:
            if raw_type >= len(RAW_TYPES):
                raise WireError(f"raw_data_type {raw_type} is unknown")
            parts.append(_array(data[begin:end], RAW_TYPES[raw_type]))
    values = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])
    arrays.append(values.astype(np.float32, copy=False))
    return b"".join(bytes(data[start:end]) for field, _, start, _, end in fields if field in _READ["blob"])


def _strip_c3d_blob(data: memoryview, arrays: list[np.ndarray]) -> bytes:
    """Of C3D's first version: fields 1 to 5 are num, channels, length, height and width, and 6 has the numbers."""
    dims, values = [0] * 5, np.empty(0, np.float32)
    for field, kind, _, begin, end in _fields(data):
        if field <= len(dims) and kind == VARINT:
            dims[field - 1] = _varint(data, begin)[0]
        elif (field, kind) == (_C3D_DATA, BYTES):
            values = _array(data[begin:end], _NUMBERS[_DATA])
    arrays.append(values)
    return _shape_bytes(dims)


def _array(data: memoryview, form: str) -> np.ndarray:
    if len(data) % np.dtype(form).itemsize:
        raise WireError("the numbers of a blob have a wrong length")
    return np.frombuffer(data, form)


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
