"""Checks a prototxt against the schema, and finds out where each field stands.

protobuf's text_format makes the message; this pass before it is there for clear errors and for places.
Source: the text format of protobuf.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from typing import NamedTuple, NoReturn

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt.forks import fork_of, fork_of_value
from caffe_compat.prototxt.set_aside import set_aside_by
from caffe_compat.text import meant, misspelt, nearest, plain

Path = tuple[str | int, ...]  # names, each followed by an index (0 where the field is not repeated)
Place = tuple[int, int]  # line and column, from 1


class SetAside(NamedTuple):
    """A field that only chooses how a fork computes or logs. start, end: where it stands in the text."""

    name: str
    fork: str
    line: int
    start: int
    end: int


class Unread(NamedTuple):
    """A field that no Caffe known here has, of one layer: whoever builds that layer has to refuse it.

    layer: its path. told: the error, or the name of a type that V1 layers do not have. start, end as above.
    """

    layer: Path
    told: str
    is_type: bool
    start: int
    end: int


class Scanned(NamedTuple):
    """places: where each field stands. set_aside, unread: the fields that are not read, in the order of the text."""

    places: dict[Path, Place]
    set_aside: list[SetAside]
    unread: list[Unread]


def scan(text: str, schema: Descriptor) -> Scanned:
    """The place of every field of the text, which has to be a message of this schema.

    Raises PrototxtError, with line and column, for an unknown field or enum value, a value of another kind, a
    field given twice, a missing or superfluous brace, and whatever else is not text format. An unknown field of a
    layer that is no misspelling of another belongs to a layer type, or a data layer, of some Caffe: it is only noted.
    """
    scanner = _Scanner(text)
    scanner.message(schema)
    return Scanned(scanner.places, scanner.set_aside, scanner.unread)


def top_level_names(text: str) -> list[str]:
    """The names at the top level of the text, in order, whatever the schema. Raises PrototxtError for odd text."""
    names, depth = [], 0
    for token in _Scanner(text).all_tokens():
        if token.kind == "symbol":
            depth += token.text in _CLOSING
            depth -= token.text in _CLOSING.values()
        elif token.kind == "name" and depth == 0:
            names.append(token.text)
    return names


_OTHER_FILES = {
    "NetParameter": ("SolverParameter", "a solver, not a net"),
    "SolverParameter": ("NetParameter", "a net, not a solver"),
}


class _Token(NamedTuple):
    kind: str  # name, number, string, symbol or end
    text: str
    offset: int

    def __str__(self) -> str:
        return "the end of the file" if self.kind == "end" else f"'{self.text}'"


class _Open(NamedTuple):
    """A message that is being read."""

    schema: Descriptor
    path: Path
    brace: _Token | None  # None: the file itself


_TOKEN = re.compile(
    r"""(?:\s|\#[^\n]*)*
    (?: (?P<name>[A-Za-z_]\w*)
      | (?P<number>[-+]?(?:\d|\.\d)[\w.]*(?:(?<=[eE])[-+]\w+)?|-[A-Za-z]\w*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<symbol>[{}<>\[\]:,;])
      | (?P<end>\Z)
      | (?P<bad>.))""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(
    r"""\\(?:[abfnrtv?'"\\]|[0-3]?[0-7]{1,2}|[xX][0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U00(?:0|10)[0-9a-fA-F]{4,5})"""
)
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")  # how Python's surrogateescape decodes such bytes
_CLOSING = {"{": "}", "<": ">"}
_LAYERS = ("LayerParameter", "V1LayerParameter")
_SIZES_OF_AXES = {  # R-C3D's Caffe has them
    ("PoolingParameter", name): "a size for each axis is for type PoolingND, in pooling_nd_param"
    for name in ("kernel_size", "stride", "pad")
}


class _Scanner:
    """A recursive descent; the schema is not recursive, so the text cannot make it deep. What is skipped can be."""

    def __init__(self, text: str):
        self.text = text
        self.line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.places: dict[Path, Place] = {}
        self.set_aside: list[SetAside] = []
        self.unread: list[Unread] = []
        self.doubtful: list[tuple[_Token, str]] = []  # params of the open layer whose names are nearly others
        self.layer_type = ""  # of the open layer
        self.open: list[_Open] = []
        self.tokens = self._tokens()
        self.token = next(self.tokens)
        self.end = 0  # of the last token that was taken

    def _tokens(self) -> Iterator[_Token]:
        offset = 0
        while match := _TOKEN.match(self.text, offset):
            kind = match.lastgroup or "end"
            token = _Token(kind, match[kind], match.start(kind))
            if kind in ("bad", "string"):
                self._check_encoding(token)
            if kind == "bad":
                self._fail_character(token)
            if kind == "string" and "\\" in _ESCAPE.sub("", token.text):
                self._fail("this string has an unknown escape; write \\\\ for a backslash", token)
            yield token
            offset = match.end()

    def all_tokens(self) -> Iterator[_Token]:
        while self.token.kind != "end":
            yield self._next()

    def _next(self) -> _Token:
        token = self.token
        if token.kind != "end":
            self.end = token.offset + len(token.text)
            self.token = next(self.tokens)
        return token

    def _take(self, *symbols: str) -> bool:
        found = self.token.kind == "symbol" and self.token.text in symbols
        if found:
            self._next()
        return found

    # ---- grammar ----

    def message(self, schema: Descriptor, path: Path = (), brace: _Token | None = None) -> None:
        self.open.append(_Open(schema, path, brace))
        counts: dict[str, int] = {}
        while not self._closed(brace):
            self._field(counts)
            self._take(",", ";")
        if schema.name in _LAYERS:
            self._close_layer()
        self.open.pop()

    def _close_layer(self) -> None:
        """A param whose name is nearly another one is a misspelling, unless the layer's type has that name."""
        for name, told in self.doubtful:
            if plain(name.text.removesuffix("_param")) != plain(self.layer_type):
                self._fail(told, name)
        self.doubtful, self.layer_type = [], ""

    def _closed(self, brace: _Token | None) -> bool:
        token = self.token
        if token.kind == "end":
            if brace:
                name, closing = self.open[-1].path[-2], _CLOSING[brace.text]
                self._fail(f"the '{brace.text}' of '{name}' is never closed; add a '{closing}'", brace)
            return True
        if token.kind != "symbol" or token.text not in _CLOSING.values():
            return False
        if not brace:
            self._fail(
                f"found {token} where nothing is open; remove it, or add the opening brace above", token
            )
        if token.text != _CLOSING[brace.text]:
            self._fail(f"expected '{_CLOSING[brace.text]}', found {token}", token)
        self._next()
        return True

    def _field(self, counts: dict[str, int]) -> None:
        name = self._next()
        if name.kind != "name":
            self._fail(f"expected the name of a field, found {name}", name)
        schema = self.open[-1].schema
        field = schema.fields_by_name.get(name.text)
        fork = set_aside_by(schema.name, name.text)
        if field is None and fork is None:
            self._keep_unread(name, self._no_field(name))
            return
        if field is None or (fork and self._is_other(field)):
            self._skip(name)
            self.set_aside.append(SetAside(name.text, str(fork), self._place(name)[0], name.offset, self.end))
            return
        colon = self._take(":")
        if not colon and not field.message_type:
            self._fail(f"expected ':' after '{field.name}', found {self.token}", self.token)
        if not field.has_presence and self._take("["):
            self._list(field, counts)
        else:
            self._value(field, counts, name)

    def _is_other(self, field: FieldDescriptor) -> bool:
        """Whether the value that follows is one that a fork alone has: an engine of its own, a list for a number."""
        match = _TOKEN.match(self.text, self.token.offset + 1)
        if self.token.text != ":" or match is None:
            return False
        value = match[match.lastgroup or "end"]
        if field.enum_type is not None:
            return match.lastgroup == "name" and value not in field.enum_type.values_by_name
        return field.has_presence and value == "["

    def _keep_unread(self, name: _Token, told: str) -> None:
        """Note an unknown field of a layer. Raises PrototxtError where it is a mistake, or not of a layer."""
        layer = self._layer()
        if layer is None or self._is_mistake(name, layer, told):
            self._fail(told, name)
        self._skip(name)
        self._note_unread(layer, name, told)

    def _note_unread(self, layer: _Open, name: _Token, told: str, is_type: bool = False) -> None:
        if not is_type:
            index = sum(one.layer == layer.path and not one.is_type for one in self.unread)
            path: Path = (*layer.path, "unread", index)
            self.places[path] = self._place(name)
        self.unread.append(Unread(layer.path, told, is_type, name.offset, self.end))

    def _layer(self) -> _Open | None:
        """The layer that is being read, if one is."""
        return next((message for message in self.open if message.schema.name in _LAYERS), None)

    def _is_mistake(self, name: _Token, layer: _Open, told: str) -> bool:
        """Whether an unknown field is none of another Caffe's: a misspelling, or one that stands in a wrong place."""
        schema = self.open[-1].schema
        if fork_of(schema.name, name.text):
            return False
        if any(name.text in message.schema.fields_by_name for message in self.open):
            return True
        if self.token.text not in (":", *_CLOSING):
            return True
        wrong = misspelt(name.text, schema.fields_by_name)
        if self.open[-1] is not layer:
            return wrong
        if not name.text.endswith("_param"):
            return nearest(name.text, schema.fields_by_name, cutoff=0.7) is not None
        if wrong and meant(name.text, schema.fields_by_name):
            self.doubtful.append((name, told))
        return False

    def _skip(self, name: _Token) -> None:
        """Take the value of a field that is not read, whatever it is."""
        self._take(":")
        first = self._next()
        if first.kind == "end" or first.text in (*_CLOSING.values(), "]", ",", ";", ":"):
            self._fail(f"expected a value of '{name.text}', found {first}", first)
        depth = int(first.kind == "symbol")
        while depth:
            token = self._next()
            if token.kind == "end":
                self._fail(f"the '{first.text}' of '{name.text}' is never closed", first)
            if token.kind == "symbol":
                depth += (token.text in (*_CLOSING, "[")) - (token.text in (*_CLOSING.values(), "]"))
        while first.kind == "string" and self.token.kind == "string":
            self._next()
        self._take(",", ";")

    def _list(self, field: FieldDescriptor, counts: dict[str, int]) -> None:
        while not self._take("]"):
            self._value(field, counts, self.token)
            if not self._take(",") and self.token.text != "]":
                self._fail(
                    f"expected ',' or ']' in the list of '{field.name}', found {self.token}", self.token
                )

    def _value(self, field: FieldDescriptor, counts: dict[str, int], place: _Token) -> None:
        path = self._note(field, counts, place)
        token = self._next()
        if field.message_type:
            if token.text not in _CLOSING:
                self._fail(f"expected '{{' after '{field.name}', found {token}", token)
            self.message(field.message_type, path, token)
            return
        of_layer = self.open[-1].schema.name in _LAYERS and field.name == "type"
        if of_layer:
            self.layer_type = token.text.strip("\"'")
        wrong = _wrong_value(field, token)
        if wrong and of_layer and _is_type_of_fork(field, token):
            self._note_unread(self.open[-1], place, token.text, is_type=True)
        elif wrong:
            self._fail(wrong, token)
        while token.kind == "string" and self.token.kind == "string":  # strings side by side are one
            self._next()

    def _note(self, field: FieldDescriptor, counts: dict[str, int], token: _Token) -> Path:
        index = counts.get(field.name, 0)
        counts[field.name] = index + 1
        path = (*self.open[-1].path, field.name, index)
        if index and field.has_presence:
            first: Path = (*path[:-1], 0)
            self._fail(
                f"'{field.name}' is given twice, first in line {self.places[first][0]}; "
                + _SIZES_OF_AXES.get((self.open[-1].schema.name, field.name), "remove one"),
                token,
            )
        self.places[path] = self._place(token)
        return path

    # ---- errors ----

    def _place(self, token: _Token) -> Place:
        line = bisect_right(self.line_starts, token.offset)
        return line, token.offset - self.line_starts[line - 1] + 1

    def _fail(self, message: str, token: _Token) -> NoReturn:
        line, column = self._place(token)
        raise PrototxtError(message, line=line, column=column)

    def _check_encoding(self, token: _Token) -> None:
        """Raise PrototxtError for bytes that are not UTF-8, which the reader lets pass: in comments they may be."""
        wrong = _NOT_UTF_8.search(token.text)
        if wrong:
            place = token._replace(offset=token.offset + wrong.start())
            self._fail(
                f"byte 0x{ord(wrong[0]) - 0xDC00:02x} is not UTF-8; save the file in this encoding", place
            )

    def _fail_character(self, token: _Token) -> NoReturn:
        if token.text in ("'", '"'):
            self._fail("this string does not end in its line; add the closing quote", token)
        self._fail(f"unexpected character {token.text!r}", token)

    def _no_field(self, name: _Token) -> str:
        """What is said of a field that the message does not have."""
        schema = self.open[-1].schema
        fork = fork_of(schema.name, name.text)
        outer = [message.schema.name for message in self.open if name.text in message.schema.fields_by_name]
        other_name, other = _OTHER_FILES.get(schema.name, (schema.name, ""))
        other_fields = schema.file.message_types_by_name[other_name].fields_by_name if other else {}
        near = (meant if name.text.endswith("_param") else nearest)(name.text, schema.fields_by_name)
        if fork:
            hint = f"; it is of {fork}"
        elif outer:
            hint = f"; {outer[-1]} has: is a '}}' missing above?"
        elif name.text in other_fields:
            hint = f"; is this {other}?"
        elif near and (self._layer() in (None, self.open[-1]) or misspelt(name.text, schema.fields_by_name)):
            hint = f"; did you mean '{near}'?"
        else:
            hint = ""
        return f"{schema.name} has no field '{name.text}'{hint}"


# ---- values ----

_BOOLS = ("true", "false", "True", "False", "t", "f", "1", "0")
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fF]?|-?(?:inf|infinity|nan)", re.IGNORECASE
)
_NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: (_INTEGER, "an integer"),
    FieldDescriptor.CPPTYPE_INT64: (_INTEGER, "an integer"),
    FieldDescriptor.CPPTYPE_UINT32: (_INTEGER, "an integer of at least 0"),
    FieldDescriptor.CPPTYPE_UINT64: (_INTEGER, "an integer of at least 0"),
    FieldDescriptor.CPPTYPE_FLOAT: (_FLOAT, "a number"),
    FieldDescriptor.CPPTYPE_DOUBLE: (_FLOAT, "a number"),
}


def _wrong_value(field: FieldDescriptor, token: _Token) -> str | None:
    """What is wrong with this value of a field, or None."""
    if field.enum_type is not None:
        return _wrong_enum(field, field.enum_type.values_by_name, token)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        expected, fits = "a string in quotes", token.kind == "string"
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        expected, fits = "true or false", token.text in _BOOLS
    else:
        pattern, expected = _NUMBERS[field.cpp_type]
        unsigned = field.cpp_type in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64)
        fits = bool(pattern.fullmatch(token.text)) and not (unsigned and token.text.startswith("-"))
    return None if fits else f"'{field.name}' takes {expected}, found {token}"


def _is_type_of_fork(field: FieldDescriptor, token: _Token) -> bool:
    """Whether this may be the type of a V1 layer of some fork, and is no misspelling of another."""
    known = field.enum_type.values_by_name if field.enum_type is not None else ()
    return bool(known) and token.kind == "name" and token.text.isupper() and not meant(token.text, known)


def _wrong_enum(field: FieldDescriptor, values: Collection[str], token: _Token) -> str | None:
    if token.text in values or _INTEGER.fullmatch(token.text):
        return None
    fork = fork_of_value(token.text)
    hint = f"; {fork} has it, which is not built here" if fork else ""
    return f"'{field.name}' takes one of {', '.join(values)}, found {token}{hint}"
