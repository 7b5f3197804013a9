"""The phase in which a command makes a net."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from caffe_compat.prototxt.caffe_pb2 import Phase


def phase(file: str, said: str | None, level: int = 0, stages: Iterable[str] = ()) -> Phase:
    """The phase that is said, in letters of any case; where none is, TRAIN for a net with a loss, else TEST.

    Raises PrototxtError where the file cannot be read.
    """
    from caffe_compat.graph import usual_phase
    from caffe_compat.prototxt.caffe_pb2 import Phase
    from caffe_compat.prototxt.reader import read_net

    if said:
        return cast("Phase", Phase.Value(said.upper()))
    return usual_phase(read_net(file)[0], level, stages)
