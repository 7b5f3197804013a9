"""Writes messages as text and binary, the way Caffe does."""

from __future__ import annotations

import os
import re

from google.protobuf import text_format
from google.protobuf.message import Message

from caffe_compat.errors import PrototxtError
from caffe_compat.files import replacing
from caffe_compat.prototxt.reader import MAX_BINARY

_WHOLE_FLOAT = re.compile(r"^( *\w+: -?\d+)\.0$", re.MULTILINE)


def net_text(message: Message) -> str:
    """The text of a net, or any other message. Floats have as few digits as give the same float32 again.

    Raises PrototxtError for a net with fields that were not read: they would be lost.
    """
    for layer in getattr(message, "layer", ()):
        for field in layer.unread:
            raise PrototxtError(f"layer '{layer.name}' cannot be written again: {field.told}")
    return _WHOLE_FLOAT.sub(r"\1", text_format.MessageToString(message, as_utf8=True))


def write_text(message: Message, path: str | os.PathLike[str]) -> None:
    """Write `net_text` to a file, which is replaced at once or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(net_text(message))


def write_binary(message: Message, path: str | os.PathLike[str]) -> None:
    """Write the wire format to a file, which is replaced at once or not at all.

    Raises PrototxtError when the message is larger than protobuf can write.
    """
    if message.ByteSize() > MAX_BINARY:
        raise PrototxtError("the message has over 2 GiB, more than protobuf can write", file=os.fspath(path))
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(message.SerializeToString())
