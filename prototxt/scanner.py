"""Reads a prototxt into a message, checks it against the schema, and knows where each field stands.

protobuf's own reader takes twice the time, and knows places only of errors. Source: the text format of protobuf.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, NoReturn, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt.refused_fields import fork_of, fork_of_value
from caffe_compat.prototxt.set_aside import set_aside_by
from caffe_compat.prototxt.tokens import CLOSING, END, Place, Tokens, is_name, is_string, is_symbol, shown
from caffe_compat.prototxt.values import text_of, value_reader
from caffe_compat.text import meant, misspelt, nearest, plain

Path = tuple[str | int, ...]  # names, each followed by an index (0 where the field is not repeated)


class SetAside(NamedTuple):
    """A field that only chooses how a fork computes or logs."""

    name: str
    fork: str
    line: int


class Places(Mapping[Path, Place]):
    """Where each field of a text stands. Lines are counted when somebody asks for one."""

    def __init__(self, tokens: Tokens):
        self.tokens = tokens
        self.numbers: dict[Path, int] = {}  # of the token that a field begins with

    def __getitem__(self, path: Path) -> Place:
        return self.tokens.place(self.numbers[path])

    def __iter__(self) -> Iterator[Path]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


def scan(text: str, message: Message) -> tuple[Places, list[SetAside]]:
    """Fill a message from the text; returns the place of every field, and the fields that are not read.

    Raises PrototxtError, with line and column, for an unknown field or enum value, a value of another kind, a
    field given twice, a missing or superfluous brace, and whatever else is not text format. An unknown field of a
    layer that is no misspelling of another belongs to a layer type, or a data layer, of some Caffe: the layer notes it
    (`unread`, `fork_type`), and whoever builds that layer has to refuse it.
    """
    scanner = _Scanner(text)
    scanner.read(_Open(message, message.DESCRIPTOR, (), None))  # type: ignore[arg-type]  # the stubs have two Descriptors
    if scanner.tokens.fault:
        scanner.fail("", scanner.tokens.fault[0])
    return scanner.places, scanner.set_aside


def top_level_names(text: str) -> list[str]:
    """The names at the top level of the text, in order, whatever the schema. Raises PrototxtError for odd text."""
    scanner = _Scanner(text)
    if scanner.tokens.fault:
        scanner.fail("", scanner.tokens.fault[0])
    names, depth = [], 0
    for token in scanner.all:
        if is_symbol(token):
            depth += (token in CLOSING) - (token in _CLOSERS)
        elif depth == 0 and is_name(token):
            names.append(token)
    return names


_OTHER_FILES = {
    "NetParameter": ("SolverParameter", "a solver, not a net"),
    "SolverParameter": ("NetParameter", "a net, not a solver"),
}
_CLOSERS = tuple(CLOSING.values())
_ENDS = (END, *_CLOSERS)
_SEPARATORS = (",", ";")
_LAYERS = ("LayerParameter", "V1LayerParameter")
_ONCE_NUMBERS = (
    "number_max_occlusions",
)  # text of OpenPose's later training files, a number of the first ones
# R-C3D's Caffe has a size for each axis
_SIZES_OF_AXES = {("PoolingParameter", name): f"more_{name}" for name in ("kernel_size", "stride", "pad")}


class _Field(NamedTuple):
    """What a field is to the scanner. value: makes its value of a token; None where it is text or a message."""

    name: str
    message: Descriptor | None
    is_repeated: bool
    is_bytes: bool
    value: Callable[[str], Any] | None
    enum: Collection[str]
    fork: str | None  # whose own values of it are set aside


@cache
def _fields_of(schema: Descriptor) -> dict[str, _Field]:
    def field_of(field: FieldDescriptor) -> _Field:
        has_value = field.message_type is None and field.cpp_type != FieldDescriptor.CPPTYPE_STRING
        return _Field(
            field.name,
            field.message_type,
            not field.has_presence,
            field.type == FieldDescriptor.TYPE_BYTES,
            value_reader(field) if has_value else None,
            field.enum_type.values_by_name if field.enum_type is not None else (),
            set_aside_by(schema.name, field.name),
        )

    return {field.name: field_of(field) for field in schema.fields}


class _Open:
    """A message that is being read. brace: the number of the token that opened it; None: the file itself."""

    __slots__ = ("brace", "counts", "fields", "is_layer", "message", "path", "schema")

    def __init__(self, message: Message, schema: Descriptor, path: Path, brace: int | None):
        self.message, self.schema, self.path, self.brace = message, schema, path, brace
        self.fields = _fields_of(schema)
        self.counts: dict[str, int] = {}
        self.is_layer = schema.name in _LAYERS


class _Scanner:
    """A recursive descent; the schema is not recursive, so the text cannot make it deep. What is skipped can be."""

    def __init__(self, text: str):
        self.tokens = Tokens(text)
        self.all = self.tokens.all
        self.at = 0  # the number of the token that comes next
        self.places = Places(self.tokens)
        self.set_aside: list[SetAside] = []
        self.doubtful: list[tuple[int, str]] = []  # params of the open layer whose names are nearly others
        self.layer_type = ""  # of the open layer
        self.open: list[_Open] = []

    def _take(self, *symbols: str) -> bool:
        found = self.all[self.at] in symbols
        self.at += found
        return found

    # ---- grammar ----

    def read(self, message: _Open) -> None:
        self.open.append(message)
        tokens = self.all
        while tokens[self.at] not in _ENDS:
            self._field(message)
            if tokens[self.at] in _SEPARATORS:
                self.at += 1
        self._close(message)
        if message.is_layer:
            self._close_layer()
        self.open.pop()

    def _close_layer(self) -> None:
        """A param whose name is nearly another one is a misspelling, unless the layer's type has that name."""
        for name, told in self.doubtful:
            if plain(self.all[name].removesuffix("_param")) != plain(self.layer_type):
                self.fail(told, name)
        self.doubtful, self.layer_type = [], ""

    def _close(self, message: _Open) -> None:
        token = self.all[self.at]
        opening = None if message.brace is None else self.all[message.brace]
        if token == END:
            if opening:
                name = message.path[-2]
                self.fail(
                    f"the '{opening}' of '{name}' is never closed; add a '{CLOSING[opening]}'", message.brace
                )
            return
        if not opening:
            self.fail(
                f"found {shown(token)} where nothing is open; remove it, or add the opening brace above"
            )
        if token != CLOSING[opening]:
            self.fail(f"expected '{CLOSING[opening]}', found {shown(token)}")
        self.at += 1

    def _field(self, message: _Open) -> None:
        start = self.at
        name = self.all[start]
        if name in message.counts:
            name = _SIZES_OF_AXES.get((message.schema.name, name), name)
        field = message.fields.get(name)
        if field is None and not is_name(name):
            self.fail(f"expected the name of a field, found {shown(name)}")
        self.at += 1
        if field is None:
            self._unknown(message, start)
        elif field.fork and self._is_other(field):
            self._put_aside(field.fork, start)
        else:
            if self.all[self.at] == ":":
                self.at += 1
            elif field.message is None:
                self.fail(f"expected ':' after '{name}', found {shown(self.all[self.at])}")
            if self.all[self.at] == "[" and (message.schema.name, name) in _SIZES_OF_AXES:
                self.at += 1
                self._list(message, field, message.fields[_SIZES_OF_AXES[message.schema.name, name]])
            elif field.is_repeated and self.all[self.at] == "[":
                self.at += 1
                self._list(message, field, field)
            else:
                self._value(message, field, start)

    def _is_other(self, field: _Field) -> bool:
        """Whether the value that follows is one that a fork alone has: an engine of its own, a list for a number, the
        bits of a layer that is none of Ristretto's."""
        if field.name == "quantization_param":
            return bool(self.layer_type) and "Ristretto" not in self.layer_type
        if self.all[self.at] != ":":
            return False
        value = self.all[self.at + 1]
        return (is_name(value) and value not in field.enum) if field.enum else value == "["

    def _put_aside(self, fork: str, name: int) -> None:
        self._skip(name)
        self.set_aside.append(SetAside(self.all[name], fork, self.tokens.place(name)[0]))

    def _unknown(self, message: _Open, name: int) -> None:
        """Let the layer note a field that there is not. Raises PrototxtError where it is a mistake, or no layer's."""
        fork = set_aside_by(message.schema.name, self.all[name])
        if fork:
            self._put_aside(fork, name)
            return
        layer, told = self._layer(), self._no_field(self.all[name])
        if layer is None or self._is_mistake(name, layer, told):
            self.fail(told, name)
        self._skip(name)
        noted = cast(Any, layer.message).unread
        path: Path = (*layer.path, "unread", len(noted))
        self.places.numbers[path] = name
        noted.add(told=told)

    def _layer(self) -> _Open | None:
        """The layer that is being read, if one is."""
        return next((message for message in self.open if message.is_layer), None)

    def _is_mistake(self, index: int, layer: _Open, told: str) -> bool:
        """Whether an unknown field is none of another Caffe's: a misspelling, or one that stands in a wrong place."""
        name, schema = self.all[index], self.open[-1].schema
        if fork_of(schema.name, name):
            return False
        if any(name in message.fields for message in self.open):
            return True
        if self.all[self.at] not in (":", *CLOSING):
            return True
        wrong = misspelt(name, schema.fields_by_name)
        if self.open[-1] is not layer:
            return wrong
        if not name.endswith("_param"):
            return nearest(name, schema.fields_by_name, cutoff=0.7) is not None
        if wrong and meant(name, schema.fields_by_name):
            self.doubtful.append((index, told))
        return False

    def _skip(self, name: int) -> None:
        """Take the value of a field that is not read, whatever it is."""
        self._take(":")
        start = self.at
        first = self.all[start]
        if first in (END, *_CLOSERS, "]", ",", ";", ":"):
            self.fail(f"expected a value of '{self.all[name]}', found {shown(first)}")
        self.at += 1
        depth = int(is_symbol(first))
        while depth:
            token = self.all[self.at]
            if token == END:
                self.fail(f"the '{first}' of '{self.all[name]}' is never closed", start)
            depth += (token in (*CLOSING, "[")) - (token in (*_CLOSERS, "]"))
            self.at += 1
        while is_string(first) and is_string(self.all[self.at]):
            self.at += 1

    def _list(self, message: _Open, field: _Field, later: _Field) -> None:
        """Read the values of a list; later: the field of all but the first of them."""
        while not self._take("]"):
            self._value(message, field, self.at)
            field = later
            if not self._take(",") and self.all[self.at] != "]":
                found = shown(self.all[self.at])
                self.fail(f"expected ',' or ']' in the list of '{field.name}', found {found}")

    def _value(self, message: _Open, field: _Field, start: int) -> None:
        """Read a value; start: the number of the token where its place is."""
        path = self._note(message, field, start)
        if field.message is not None:
            self._message(message, field, field.message, path)
            return
        index = self.at
        if message.is_layer and field.name == "type":
            self.layer_type = self.all[index].strip("\"'")
        if field.value is None:
            value = self._text(field)
        else:
            try:
                value = field.value(self.all[index])
            except ValueError as error:
                if self._notes_type(message, field):
                    return
                self._fail_value(field, str(error))
            self.at += 1
        try:
            if field.is_repeated:
                getattr(message.message, field.name).append(value)
            else:
                setattr(message.message, field.name, value)
        except ValueError as error:  # a number out of range
            self.fail(str(error), index)

    def _message(self, outer: _Open, field: _Field, schema: Descriptor, path: Path) -> None:
        if self.all[self.at] not in CLOSING:
            self.fail(f"expected '{{' after '{field.name}', found {shown(self.all[self.at])}")
        self.at += 1
        inner = getattr(outer.message, field.name)
        if field.is_repeated:
            inner = inner.add()
        else:
            inner.SetInParent()
        self.read(_Open(inner, schema, path, self.at - 1))

    def _text(self, field: _Field) -> str | bytes:
        start = self.at
        if field.name in _ONCE_NUMBERS and self.all[start].isdigit():
            self.at += 1
            return self.all[start]
        if not is_string(self.all[start]):
            self._fail_value(field, "a string in quotes")
        while is_string(self.all[self.at]):  # strings side by side are one
            self.at += 1
        if self.tokens.fault and self.tokens.fault[0] < self.at:
            self.fail("", start)
        try:
            value = text_of(self.all[start : self.at])
            return value if field.is_bytes else value.decode()
        except UnicodeError:
            self.at = start
            self._fail_value(field, "text in UTF-8")

    def _notes_type(self, message: _Open, field: _Field) -> bool:
        """Let a V1 layer note a type of some fork that comes next, if it is no misspelling of another."""
        token = self.all[self.at]
        of_fork = message.is_layer and field.name == "type" and is_name(token) and token.isupper()
        if not of_fork or meant(token, field.enum):
            return False
        cast(Any, message.message).fork_type = token
        self.at += 1
        return True

    def _note(self, message: _Open, field: _Field, start: int) -> Path:
        name = field.name
        index = message.counts.get(name, 0)
        message.counts[name] = index + 1
        path = (*message.path, name, index)
        if index and not field.is_repeated:
            first: Path = (*message.path, name, 0)
            self.fail(
                f"'{name}' is given twice, first in line {self.places[first][0]}; remove one",
                start,
            )
        self.places.numbers[path] = start
        return path

    # ---- errors ----

    def fail(self, message: str, index: int | None = None) -> NoReturn:
        """Raise PrototxtError for a token, by its number, or the next one; or for one before that is none."""
        index = self.at if index is None else index
        fault = self.tokens.fault
        place = self.tokens.place(index)
        if fault and fault[0] <= max(index, self.at):
            _, message, place = fault
        raise PrototxtError(message, line=place[0], column=place[1])

    def _fail_value(self, field: _Field, taken: str) -> NoReturn:
        token = self.all[self.at]
        fork = fork_of_value(token) if field.enum else None
        hint = f"; {fork} has it, which is not built here" if fork else ""
        self.fail(f"'{field.name}' takes {taken}, found {shown(token)}{hint}")

    def _no_field(self, name: str) -> str:
        """What is said of a field that the message does not have."""
        schema = self.open[-1].schema
        fork = fork_of(schema.name, name)
        outer = [message.schema.name for message in self.open if name in message.fields]
        other_name, other = _OTHER_FILES.get(schema.name, (schema.name, ""))
        other_fields = schema.file.message_types_by_name[other_name].fields_by_name if other else {}
        near = (meant if name.endswith("_param") else nearest)(name, schema.fields_by_name)
        if fork:
            hint = f"; it is of {fork}"
        elif outer:
            hint = f"; {outer[-1]} has: is a '}}' missing above?"
        elif name in other_fields:
            hint = f"; is this {other}?"
        elif near and (self._layer() in (None, self.open[-1]) or misspelt(name, schema.fields_by_name)):
            hint = f"; did you mean '{near}'?"
        else:
            hint = ""
        return f"{schema.name} has no field '{name}'{hint}"
