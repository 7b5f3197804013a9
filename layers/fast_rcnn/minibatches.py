"""Where the RoI data layer takes its minibatches from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

Blobs = Mapping[str, np.ndarray]
State = dict[str, np.ndarray]


class Source(Protocol):
    """What the layer takes minibatches from. set_state(get_state()) later gives the same ones again.

    A minibatch need be there only until the next one is asked for. `share_out` is called where several workers share
    the minibatches: each `next` then goes on by `count`, and gives the `rank`-th of them; the others are not read.
    """

    def next(self) -> Blobs: ...
    def share_out(self, rank: int, count: int) -> None: ...
    def get_state(self) -> State: ...
    def set_state(self, state: State) -> None: ...


class CyclicSource:
    """A Source of given minibatches, in their order, again and again. They are read when their turn comes."""

    def __init__(self, blobs: Sequence[Blobs]):
        self.blobs, self.position = blobs, 0
        self.rank, self.count = 0, 1

    def next(self) -> Blobs:
        index = self.position + self.rank
        self.position += self.count
        return self.blobs[index % len(self.blobs)]

    def share_out(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count

    def get_state(self) -> State:
        return {"position": np.array(self.position)}

    def set_state(self, state: State) -> None:
        self.position = int(state["position"])
