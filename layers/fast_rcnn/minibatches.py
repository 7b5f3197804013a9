"""Where the RoI data layer takes its minibatches from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

Blobs = Mapping[str, np.ndarray]
State = dict[str, np.ndarray]


class Source(Protocol):
    """What the layer takes minibatches from. set_state(get_state()) later gives the same ones again.

    A minibatch need be there only until the next one is asked for.
    """

    def next(self) -> Blobs: ...
    def get_state(self) -> State: ...
    def set_state(self, state: State) -> None: ...


class CyclicSource:
    """A Source of given minibatches, in their order, again and again. They are read when their turn comes."""

    def __init__(self, blobs: Sequence[Blobs]):
        self.blobs, self.position = blobs, 0

    def next(self) -> Blobs:
        self.position += 1
        return self.blobs[(self.position - 1) % len(self.blobs)]

    def get_state(self) -> State:
        return {"position": np.array(self.position)}

    def set_state(self, state: State) -> None:
        self.position = int(state["position"])
