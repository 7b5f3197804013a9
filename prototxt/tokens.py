"""The tokens of a text in protobuf's text format, and where they stand. Source: the text format of protobuf."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

Place = tuple[int, int]  # line and column, from 1

END = ""  # the token that stands after the last one
CLOSING = {"{": "}", "<": ">"}
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"' + r"|'(?:[^'\\\n]|\\.)*'")
_NUMBER = re.compile(r"[-+]?(?:\d|\.\d)[\w.]*(?:(?<=[eE])[-+]\w+)?|-[A-Za-z]\w*", re.ASCII)
_SYMBOL = re.compile(r"[{}<>\[\]:,;]")
_PLACEHOLDER = r"\$(?:\{\w*\}|\(\w+\)|[A-Za-z_]\w*)"  # in a template, as DeepLab's scripts fill them by sed
_RIGHT = "|".join(kind.pattern for kind in (NAME, _NUMBER, _STRING, _SYMBOL)) + r"|\Z"
_IS_RIGHT = re.compile(_RIGHT, re.ASCII)
_TOKEN = re.compile(rf"(?:\s+|\#[^\n]*)*({_RIGHT}|{_PLACEHOLDER}|.)", re.ASCII)
_ESCAPE = re.compile(
    r"""\\(?:[abfnrtv?'"\\]|[0-3]?[0-7]{1,2}|[xX][0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U00(?:0|10)[0-9a-fA-F]{4,5})"""
)
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")  # how Python's surrogateescape decodes such bytes


class Tokens:
    """`all` has the tokens, with END behind them.

    `fault` is the first of them that is none: its number, what is wrong, and where; None where all are right.
    """

    def __init__(self, text: str):
        self.text = text
        self.all: list[str] = _TOKEN.findall(text)
        self.fault = self._first_fault()

    @cached_property
    def _starts(self) -> list[int]:
        return [match.start(1) for match in _TOKEN.finditer(self.text)]

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def place(self, index: int) -> Place:
        """Line and column of a token."""
        return self._place_at(self._starts[index])

    def _place_at(self, offset: int) -> Place:
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def _first_fault(self) -> tuple[int, str, Place] | None:
        faults = {token: fault for token in set(self.all) if (fault := _fault(token))}
        if not faults:
            return None
        index = next(i for i, token in enumerate(self.all) if token in faults)
        message, offset = faults[self.all[index]]
        return index, message, self._place_at(self._starts[index] + offset)


def is_name(token: str) -> bool:
    return NAME.fullmatch(token) is not None


def is_string(token: str) -> bool:
    return token[:1] in ("'", '"')


def is_symbol(token: str) -> bool:
    return _SYMBOL.fullmatch(token) is not None


def shown(token: str) -> str:
    """The token as errors name it."""
    return f"'{token}'" if token else "the end of the file"


def _fault(token: str) -> tuple[str, int] | None:
    """What is wrong with a token by itself, and where in it; None where nothing is."""
    if _IS_RIGHT.fullmatch(token) and token.isascii() and "\\" not in token:  # as most are
        return None
    wrong = _NOT_UTF_8.search(token)
    if wrong:  # bytes that the reader lets pass: in comments they may be
        return (
            f"byte 0x{ord(wrong[0]) - 0xDC00:02x} is not UTF-8; save the file in this encoding",
            wrong.start(),
        )
    if token in ("'", '"'):
        return "this string does not end in its line; add the closing quote", 0
    if is_string(token) and "\\" in token and "\\" in _ESCAPE.sub("", token):
        return "this string has an unknown escape; write \\\\ for a backslash", 0
    if token.startswith("$") and len(token) > 1:
        return f"'{token}' stands for what a script puts there; write the value", 0
    return None if _IS_RIGHT.fullmatch(token) else (f"unexpected character {token!r}", 0)
