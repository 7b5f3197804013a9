"""Reads nets and solvers of any age, as text and binary; returns them in today's form."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt.caffe_pb2 import LabelMap, NetParameter, SolverParameter
from caffe_compat.prototxt.scanner import Path, SetAside, scan, top_level_names
from caffe_compat.prototxt.set_aside import why_set_aside
from caffe_compat.prototxt.source import Source
from caffe_compat.prototxt.tokens import Place
from caffe_compat.prototxt.upgrade import UpgradeError, layer_origins, upgrade_net, upgrade_solver
from caffe_compat.prototxt.wire import Data

MAX_BINARY = 2**31 - 1  # protobuf's limit, in bytes
_START = 1 << 16  # bytes that tell text from what is binary

_M = TypeVar("_M", bound=Message)
_PathLike = str | os.PathLike[str]


def read_net(path: _PathLike) -> tuple[NetParameter, Source]:
    """Read a net's prototxt. Raises PrototxtError, with file, line and column as far as known."""
    return parse_net(_read_text(path), os.fspath(path))


def parse_net(text: str, name: str = "<string>") -> tuple[NetParameter, Source]:
    """Like `read_net`, from a string; `name` stands for the file in errors."""
    net, places = _parse(text, NetParameter(), name)
    try:
        result = upgrade_net(net)
    except UpgradeError as error:
        raise _located(error, error.path, Source(name, places)) from None
    if not (net.input_shape or net.input_dim):
        _check_inputs(net, result, Source(name, places))
    return result, Source(name, places, layer_origins(net))


def _check_inputs(net: NetParameter, upgraded: NetParameter, source: Source) -> None:
    """Raise PrototxtError for an input without a shape that a layer reads: it is nothing, and goes."""
    made = {top for layer in upgraded.layer for top in layer.top}
    read = {bottom for layer in upgraded.layer for bottom in layer.bottom}
    for i, name in enumerate(net.input):
        if name in read - made:
            error = PrototxtError(f"input '{name}' has no shape; give it input_shape {{ dim: ... }}")
            raise _located(error, ("input", i), source)


def read_solver(path: _PathLike) -> tuple[SolverParameter, Source]:
    """Read a solver's prototxt. Raises PrototxtError, with file, line and column as far as known."""
    name = os.fspath(path)
    solver, places = _parse(_read_text(path), SolverParameter(), name)
    try:
        return upgrade_solver(solver), Source(name, places)
    except UpgradeError as error:
        raise _located(error, error.path, Source(name, places)) from None


def read_label_map(path: _PathLike) -> LabelMap:
    """Read the names of classes, as the SSD fork has them. Raises PrototxtError as `read_net`."""
    return _parse(_read_text(path), LabelMap(), os.fspath(path))[0]


def is_solver(path: _PathLike) -> bool:
    """Whether a prototxt is a solver's rather than a net's, by the names of its fields. Raises PrototxtError."""
    try:
        names = top_level_names(_read_text(path))
    except PrototxtError as error:
        raise error.at(os.fspath(path)) from None
    nets, solvers = (set(message.DESCRIPTOR.fields_by_name) for message in (NetParameter, SolverParameter))
    return sum((name in solvers) - (name in nets) for name in names) > 0


def read_binary_net(path: _PathLike) -> NetParameter:
    """Read a .caffemodel. Raises PrototxtError, with the file, when it is none, cut short or too large."""
    name = os.fspath(path)
    return parse_binary_net(_read_bytes(name), name)


def parse_binary_net(data: bytes, name: str = "<bytes>") -> NetParameter:
    """Like `read_binary_net`, from the bytes; `name` stands for the file in errors."""
    if not data:
        raise PrototxtError("the file is empty; expected a .caffemodel", file=name)
    try:
        net = NetParameter.FromString(data)
        if not net.ListFields():  # garbage can be well-formed, with unknown fields only
            raise DecodeError
        _check_strings(net)
        _check_initialized(net, Source(name, {}))
        return upgrade_net(net)
    except (DecodeError, UnicodeDecodeError):
        raise PrototxtError(not_binary(data), file=name) from None
    except UpgradeError as error:
        raise error.at(name) from None


def _check_strings(message: Message) -> None:
    """Raise UnicodeDecodeError for a string that is not UTF-8, which protobuf may let pass as bytes."""
    for field, value in message.ListFields():
        items = [value] if field.has_presence else value
        if field.message_type is not None:
            for item in items:
                _check_strings(item)
        elif field.type == FieldDescriptor.TYPE_STRING:
            for item in items:
                if isinstance(item, bytes):
                    item.decode()


def not_binary(data: Data) -> str:
    start = data[:_START]
    if b"\0" not in start and re.match(rb"\s*(#|[a-z_]+\s*[:{])", start):
        return "this is text, a .prototxt; expected a binary .caffemodel"
    return "this is no .caffemodel, or a part of it is missing; get the file again and compare its size"


def _read_bytes(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BINARY:
                raise PrototxtError("the file has over 2 GiB, more than protobuf can read", file=name)
            return file.read()
    except OSError as error:
        raise PrototxtError(f"cannot be read: {error.strerror}", file=name) from None


def _read_text(path: _PathLike) -> str:
    name = os.fspath(path)
    data = _read_bytes(name)
    if b"\0" in data:
        raise PrototxtError(
            "this is a binary file, a .caffemodel perhaps; expected a .prototxt, which is text", file=name
        )
    return data.decode("utf-8-sig", "surrogateescape")  # the scan refuses such bytes, but in comments


def _parse(text: str, message: _M, name: str) -> tuple[_M, Mapping[Path, Place]]:
    try:
        places, set_aside = scan(text, message)
    except PrototxtError as error:
        error.file = name
        raise
    if not places and not set_aside:
        raise PrototxtError(f"nothing is in it; expected a {message.DESCRIPTOR.name}", file=name)
    if set_aside:
        warnings.warn(f"{name}: {_told(set_aside)}", stacklevel=3)
    _check_initialized(message, Source(name, places))
    return message, places


def _told(fields: Sequence[SetAside]) -> str:
    """Which fields were set aside, each once with its first line, by fork."""
    by_fork: dict[str, dict[str, int]] = {}
    for field in fields:
        by_fork.setdefault(field.fork, {}).setdefault(field.name, field.line)
    return "; ".join(
        f"set aside, {why_set_aside(fork)}: "
        + ", ".join(f"{name} (line {line})" for name, line in names.items())
        for fork, names in by_fork.items()
    )


def _check_initialized(message: Message, source: Source) -> None:
    if message.IsInitialized():
        return
    missing = message.FindInitializationErrors()  # type: ignore[attr-defined]  # not in the stubs
    parts = re.findall(r"(\w+)(?:\[(\d+)\])?", missing[0])
    path = tuple(step for field, index in parts for step in (field, int(index or 0)))
    error = PrototxtError(f"'{parts[-2][0]}' needs the field '{parts[-1][0]}'; add it")
    raise _located(error, path, source)


def _located(error: PrototxtError, path: Path, source: Source) -> PrototxtError:
    """The error with the place of the field, or of the nearest message around it that the text has."""
    while path and source.where(*path) is None:
        path = path[:-1]
    error.at(source.name, *(source.where(*path) or ()))
    return error
