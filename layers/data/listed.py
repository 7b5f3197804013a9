"""Batches of what a list names, in its order or shuffled in every round."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe_compat.layers.data.image_batches import ImageBatches
from caffe_compat.layers.data.transformer import rng_state, set_rng_state
from caffe_compat.rng import Rng, caffe_rng


class ListedBatches(ImageBatches):
    """Subclasses call `start_list` in `open`, and take `entry` in `current`."""

    def start_list(self, entries: list[Any], source: str, shuffle: bool, rand_skip: int = 0) -> None:
        """Go through the entries, in a new random order in every round where `shuffle`.

        rand_skip: start up to so many behind the first. Raises LayerError where that leads past the end.
        """
        self.entries, self._source, self._shuffle = entries, source, shuffle
        self._order = np.arange(len(entries))
        if shuffle:
            self._order_rng = Rng(caffe_rng().draw())
            self._order_rng.shuffle(self._order)
        self._position = caffe_rng().draw() % rand_skip if rand_skip else 0
        if self._position >= len(entries):
            raise self.error(f"rand_skip skips {self._position} of the {len(entries)} images in '{source}'")

    @property
    def entry(self) -> Any:
        return self.entries[self._order[self._position]]

    def advance(self) -> None:
        self._position = (self._position + 1) % len(self.entries)
        if self._position == 0 and self._shuffle:
            self._order_rng.shuffle(self._order)

    def place(self) -> dict[str, np.ndarray]:
        place = {"position": np.array(self._position)}
        return place | (
            {"order": self._order.copy(), **rng_state("shuffle", self._order_rng)} if self._shuffle else {}
        )

    def set_place(self, state: dict[str, np.ndarray]) -> None:
        order = state.get("order", self._order)
        if len(order) != len(self.entries) or int(state["position"]) >= len(order):
            raise self.error(f"'{self._source}' is not the list that the state was kept with")
        self._order, self._position = order.copy(), int(state["position"])
        if self._shuffle:
            set_rng_state("shuffle", self._order_rng, state)
