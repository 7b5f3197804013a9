"""Writes an old net, solver or .caffemodel in today's form.

Source: Caffe's tools upgrade_net_proto_text, upgrade_net_proto_binary and upgrade_solver_proto_text.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf import text_format
from google.protobuf.message import Message

from caffe_compat.errors import DataError
from caffe_compat.prototxt.caffe_pb2 import NetParameter, SolverParameter
from caffe_compat.prototxt.reader import is_solver, read_binary_net, read_net, read_solver
from caffe_compat.prototxt.writer import write_binary, write_text


@dataclass
class Upgraded:
    """What was done. kind: net, solver or caffemodel; changed: False where it had today's form already."""

    file: str
    kind: str
    changed: bool
    written: str


def upgrade(path: str, output: str) -> Upgraded:
    """Read a file of any generation, known by its content, and write it in today's form.

    Raises PrototxtError where it is none or cannot be upgraded, DataError where it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=path) from error
    now: Message
    before: Message
    if b"\0" in data:
        kind, now, before = "caffemodel", read_binary_net(path), NetParameter.FromString(data)
    elif is_solver(path):
        kind, now = "solver", read_solver(path)[0]
        before = text_format.Parse(data.decode("utf-8-sig"), SolverParameter())
    else:
        kind, now = "net", read_net(path)[0]
        before = text_format.Parse(data.decode("utf-8-sig"), NetParameter())
    if kind == "caffemodel":
        write_binary(now, output)
    else:
        write_text(now, output)
    return Upgraded(path, kind, now != before, output)
