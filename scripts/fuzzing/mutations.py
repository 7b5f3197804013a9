"""Changes a file as damage and mistakes do: texts by lines, words and numbers, bytes, and arrays in an .npz.

Each is a function of (rng, data, others) that returns bytes; others: the files of the same kind, for pieces of them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]

WHOLE = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    2**63 - 1,
    2**64 - 1,
    10**23,
)
NUMBERS = [
    *map(str, WHOLE),
    *(f"-{number}" for number in WHOLE),
    "0.5",
    "1e-45",
    "1e30",
    "1e999",
    "nan",
    "inf",
    "-inf",
]
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?")
_WORD = re.compile(rb"[\w.-]+")
_PIECES = [
    *(bytes([byte]) for byte in b"{}[]<>:;,#\"'\\&*%/-\0\r\n\t\xff"),
    *(b"!!", b"\xc3\x28", b"../", b"true", b"null", b"<!ENTITY x 'y'>"),
]


def text(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A text with numbers at their ends, words of others, and lines missing, doubled or exchanged."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        data = rng.choice(TEXT)(rng, data, others)
    return data


def binary(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Bytes with bits flipped, numbers at their ends, parts missing, doubled, or of others, or cut short."""
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        data = rng.choice(BINARY)(rng, data, others)
    return data


def arrays(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """An .npz with arrays missing, exchanged, of other shapes, types and values; now and then with other bytes."""
    if rng.random() < 0.15:
        return binary(rng, data, others)
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        found = dict(file)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _change_arrays(rng, found)
    result = io.BytesIO()
    np.savez(result, **found)
    return result.getvalue()


# ---- texts ------------------------------------------------------------------------------------------------------


def _replaced(rng: Random, data: bytes, pattern: re.Pattern[bytes], by: Callable[[], bytes]) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    match = rng.choice(found)
    return data[: match.start()] + by() + data[match.end() :]


def _extreme_number(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return _replaced(rng, data, _NUMBER, lambda: rng.choice(NUMBERS).encode())


def _other_number(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return _replaced(rng, data, _NUMBER, lambda: str(rng.randrange(-3, 12)).encode())


def _other_word(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    words = _WORD.findall(rng.choice((data, rng.choice(others)))) or [b"x"]
    return _replaced(rng, data, _WORD, lambda: rng.choice(words))


def _swapped_words(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    found = list(_WORD.finditer(data))
    if len(found) < 2:
        return data
    one, two = sorted(rng.sample(found, 2), key=lambda match: match.start())
    return data[: one.start()] + two[0] + data[one.end() : two.start()] + one[0] + data[two.end() :]


def _lines(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.choice(("drop", "copy", "swap", "other"))
    if change == "drop":
        del lines[i : i + rng.choice((1, 1, 3))]
    elif change == "copy":
        lines.insert(j, lines[i])
    elif change == "swap":
        lines[i], lines[j] = lines[j], lines[i]
    else:
        lines.insert(j, rng.choice(rng.choice(others).splitlines(keepends=True) or [b""]))
    return b"".join(lines)


def _piece(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_PIECES) + data[place + rng.choice((0, 0, 1)) :]


def _repeated(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    place = rng.randrange(len(data) + 1)
    return (
        data[:place] + data[place : place + rng.choice((1, 5, 30))] * rng.choice((2, 50, 2000)) + data[place:]
    )


# ---- bytes ------------------------------------------------------------------------------------------------------


def _flip(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    place = _place(rng, data)
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def _number(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    value = (rng.choice(WHOLE) % 256**size).to_bytes(size, rng.choice(("little", "big")))
    place = _place(rng, data)
    return data[:place] + value + data[place + size :]


def _cut(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[: _place(rng, data)]


def _removed(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    place = _place(rng, data)
    return data[:place] + data[place + rng.choice((1, 4, 40, 400)) :]


def _moved(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    source = rng.choice((data, rng.choice(others)))
    start, place, size = _place(rng, source), _place(rng, data), rng.choice((1, 4, 40, 400, 4096))
    return data[:place] + source[start : start + size] + data[place + rng.choice((0, size)) :]


def _filled(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    place, size = _place(rng, data), rng.choice((1, 4, 40, 400))
    return data[:place] + bytes([rng.choice((0, 255, 1, 128))]) * size + data[place + size :]


def _place(rng: Random, data: bytes) -> int:
    """Often near the start, where the sizes stand."""
    return rng.randrange(max(1, min(len(data), rng.choice((64, 512, len(data) or 1, len(data) or 1)))))


TEXT: tuple[Mutation, ...] = (
    *[_extreme_number] * 4,
    *[_other_number] * 4,
    _other_word,
    _swapped_words,
    _lines,
    _lines,
    _piece,
    _repeated,
    _moved,
)
BINARY: tuple[Mutation, ...] = (_flip, _flip, _number, _number, _cut, _removed, _moved, _filled)


# ---- arrays -----------------------------------------------------------------------------------------------------


def _change_arrays(rng: Random, found: dict[str, Any]) -> None:
    if not found:
        return
    one, two = rng.choice(list(found)), rng.choice(list(found))
    change = rng.choice(("drop", "swap", "rename", "shape", "type", "value", "value", "cut", "other"))
    if change == "drop":
        del found[one]
    elif change == "swap":
        found[one], found[two] = found[two], found[one]
    elif change == "rename":
        name = text(rng, one.encode(), [two.encode()]).decode("latin-1").replace("\0", "").replace("/", "_")
        found[name[:60] or "x"] = found.pop(one)
    else:
        found[one] = _changed(rng, found[one], change)


def _changed(rng: Random, array: np.ndarray, change: str) -> np.ndarray:
    if change == "shape":
        shape = rng.choice((array.shape[::-1], (*array.shape, 1), (-1,), (1, *array.shape), (1, 1, -1)))
        return array.reshape(shape)
    if change == "cut":
        return array.reshape(-1)[: rng.choice((0, 1, 2, array.size // 2))]
    if change == "other":
        return rng.choice(
            (np.array(3), np.zeros(0), np.array("text"), np.zeros((2, 0, 3)), np.array([True, False]))
        )
    if array.dtype.kind == "U":
        words = text(rng, str(array).encode(), [b"layer { }"]).decode("latin-1")
        return np.array(words)
    if change == "type":
        kinds = ("f2", "f8", "i1", "i8", "u1", "u8", "?", "c16", ">f4", "U3", "S3", "M8[s]", "V4")
        with np.errstate(all="ignore"):
            try:
                return array.astype(rng.choice(kinds))
            except (ValueError, TypeError, OverflowError, RuntimeError):
                return array
    array = array.copy()
    if array.size and array.dtype.kind in "fiu":
        with np.errstate(all="ignore"):
            value = np.array([float(rng.choice(NUMBERS))]).astype(array.dtype)[0]
        array.reshape(-1)[rng.randrange(array.size)] = value
    return array
