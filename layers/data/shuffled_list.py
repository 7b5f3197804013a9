"""Which entry of a list comes next: in its order, or in a new random one in every round."""

from __future__ import annotations

import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.order import is_order
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.rng import Rng, caffe_rng


class ShuffledList:
    """The place in a list of `count` entries, at `index`; behind the last comes the first.

    shuffle brings it into a new random order in every round; rand_skip starts up to that many entries behind the
    first. Raises owner's error where that is beyond the list. Source: Caffe's ImageDataLayer, with its random numbers.
    """

    def __init__(self, owner: ErrorFactory, source: str, count: int, shuffle: bool, rand_skip: int):
        self.owner, self.source, self.shuffles = owner, source, shuffle
        self.order = np.arange(count)
        if shuffle:
            self.rng = Rng(caffe_rng().draw())
            self.rng.shuffle(self.order)
        self.position = caffe_rng().draw() % rand_skip if rand_skip else 0
        if self.position >= count:
            raise owner.error(f"rand_skip skips {self.position} of the {count} images in '{source}'")

    @property
    def index(self) -> int:
        return int(self.order[self.position])

    def advance(self) -> None:
        self.position = (self.position + 1) % len(self.order)
        if self.position == 0 and self.shuffles:
            self.rng.shuffle(self.order)

    def get_state(self) -> dict[str, np.ndarray]:
        state = {"position": np.array(self.position)}
        if self.shuffles:
            state |= {"order": self.order.copy(), **rng_state("shuffle", self.rng)}
        return state

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state. Raises owner's error where it is of another list."""
        order = state.get("order", self.order)
        if not is_order(order, len(self.order)) or not 0 <= int(state["position"]) < len(order):
            raise self.owner.error(f"'{self.source}' is not the list that the state was kept with")
        self.order, self.position = order.copy(), int(state["position"])
        if self.shuffles:
            set_rng_state("shuffle", self.rng, state)
