"""Batches of what a list names, in its order or shuffled in every round."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe_compat.layers.data.image_batches import ImageBatches
from caffe_compat.layers.data.shuffled_list import ShuffledList


class ListedBatches(ImageBatches):
    """Subclasses call `start_list` in `open`, and take `entry` in `current`."""

    def start_list(self, entries: list[Any], source: str, shuffle: bool, rand_skip: int = 0) -> None:
        """Go through the entries as a ShuffledList does. Raises LayerError where rand_skip leads past the end."""
        self.entries = entries
        self.list = ShuffledList(self, source, len(entries), shuffle, rand_skip)

    @property
    def entry(self) -> Any:
        return self.entries[self.list.index]

    def advance(self) -> None:
        self.list.advance()

    def place(self) -> dict[str, np.ndarray]:
        return self.list.get_state()

    def set_place(self, state: dict[str, np.ndarray]) -> None:
        self.list.set_state(state)
