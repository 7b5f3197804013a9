"""The phase in which a command makes a net."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from caffe_compat.prototxt.caffe_pb2 import NetParameter, Phase
    from caffe_compat.prototxt.source import Source


def read_in_phase(
    file: str, said: str | None, level: int = 0, stages: Iterable[str] = ()
) -> tuple[NetParameter, Source]:
    """A net's file in the phase that is said, in letters of any case; where none is, `graph.usual_phase`.

    Both go to `Net.from_param`. Raises PrototxtError where the file cannot be read.
    """
    from caffe_compat.graph import usual_phase, with_state
    from caffe_compat.prototxt.caffe_pb2 import Phase
    from caffe_compat.prototxt.reader import read_net

    param, source = read_net(file)
    phase = cast("Phase", Phase.Value(said.upper())) if said else usual_phase(param, level, stages)
    return with_state(param, phase, level, stages), source
