"""The values of fields, from the tokens that stand for them. Source: the text format of protobuf."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.text_encoding import CUnescape

_BOOLS = dict.fromkeys(("true", "True", "t", "1"), True) | dict.fromkeys(("false", "False", "f", "0"), False)
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|0(?P<octal>[0-7]+)|0|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[-+]?(?!0[0-9])(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fF]?|-?(?:inf|infinity|nan)",
    re.IGNORECASE,
)
_UNSIGNED = (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64)
_FLOATS = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)


def value_reader(field: FieldDescriptor) -> Callable[[str], Any]:
    """The function that makes of a token the value of a field that is neither message nor text.

    It raises ValueError, with what the field takes instead. Whether a number is in its range, protobuf says.
    """
    if field.enum_type is not None:
        return _enum_reader(field.enum_type)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _bool
    if field.cpp_type in _FLOATS:
        return _float
    return _unsigned if field.cpp_type in _UNSIGNED else _integer


def text_of(strings: Sequence[str]) -> bytes:
    """What strings in quotes that stand side by side are together."""
    return b"".join(
        CUnescape(string[1:-1]) if "\\" in string else string[1:-1].encode() for string in strings
    )


def _bool(token: str) -> bool:
    if token not in _BOOLS:
        raise ValueError("true or false")
    return _BOOLS[token]


@lru_cache(maxsize=1024)
def _integer(token: str) -> int:
    match = _INTEGER.fullmatch(token)
    if not match:
        raise ValueError("an integer")
    return int(token, 8 if match["octal"] else 0)


@lru_cache(maxsize=1024)
def _unsigned(token: str) -> int:
    match = _INTEGER.fullmatch(token)
    if not match or token[0] == "-":
        raise ValueError("an integer of at least 0")
    return int(token, 8 if match["octal"] else 0)


@lru_cache(maxsize=1024)
def _float(token: str) -> float:
    if not _FLOAT.fullmatch(token):
        raise ValueError("a number")
    return float(token[:-1] if token[-1] in "fF" and token[-2:].lower() != "nf" else token)


def _enum_reader(enum: EnumDescriptor) -> Callable[[str], int]:
    numbers = {value.name: value.number for value in enum.values}

    def number(token: str) -> int:
        if token in numbers:
            return numbers[token]
        if _INTEGER.fullmatch(token) and int(token, 0) in enum.values_by_number:
            return int(token, 0)
        raise ValueError(f"one of {', '.join(numbers)}")

    return number
