"""The order in which CustomData reads the records of its database."""

from __future__ import annotations

import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.common.random_shuffle import random_shuffle
from caffe_compat.layers.data.c_rand import CRand
from caffe_compat.prototxt.caffe_pb2 import DataParameter
from caffe_compat.rng import caffe_rng


class RecordOrder:
    """items: the numbers of the records, of `count`, that a data_param chooses, in its order.

    Raises owner's error for a preselection_file that cannot be read, or does not fit, and for an empty range.
    Source: CustomDataLayer of lmb-freiburg/flownet2.
    """

    def __init__(self, owner: ErrorFactory, param: DataParameter, count: int):
        self._owner, self._param = owner, param
        self._rand = CRand(param.rand_permute_seed) if param.rand_permute_seed else None
        self.items = self._selected(count)
        permutes_last = param.rand_permute_order == DataParameter.FIRST_RANGE_THEN_PERMUTE
        chosen = self._range(len(self.items))
        if param.rand_permute and not permutes_last:
            self.shuffle()
        self.items = self.items[chosen]
        if param.rand_permute and permutes_last:
            self.shuffle()

    def shuffle(self) -> None:
        """Another random order, in blocks where there are some; the last of a block stays."""
        draw = self._rand.draw if self._rand else caffe_rng().draw
        size = self._param.block_size
        if not size:
            random_shuffle(self.items, draw)
            return
        blocks = (self.items[i : i + size] for i in range(0, len(self.items), size))
        self.items = [one for block in blocks for one in (*random_shuffle(block[:-1], draw), block[-1])]

    def _selected(self, count: int) -> list[int]:
        param = self._param
        if not param.HasField("preselection_file"):
            return list(range(count))
        if not param.HasField("preselection_label"):
            raise self._owner.error(
                "preselection_file gives each record a label; say preselection_label, one of them"
            )
        path = param.preselection_file
        labels = " ".join(line for line, _ in read_lines(self._owner, path, "preselection_file")).split()
        if len(labels) != count:
            raise self._owner.error(
                f"'{path}' has {len(labels)} labels, the LMDB '{param.source}' {count} records"
            )
        found = [i for i, label in enumerate(labels) if self._number(label) == param.preselection_label]
        if not found:
            raise self._owner.error(
                f"'{path}' gives no record the preselection_label {param.preselection_label}"
            )
        return found

    def _number(self, label: str) -> int:
        try:
            return int(label)
        except ValueError:
            raise self._owner.error(
                f"'{self._param.preselection_file}' has '{label}'; expected whole numbers"
            ) from None

    def _range(self, count: int) -> slice:
        first, last = min(max(self._param.range_start, 0), count - 1), self._param.range_end
        if not 0 <= last < count:
            last = count - 1
        if last < first:
            raise self._owner.error(f"range_end is {last}, before range_start, {first}")
        return slice(first, last + 1)

    def get_state(self) -> dict[str, np.ndarray]:
        return {"order": np.array(self.items)} | ({"rand": self._rand.get_state()} if self._rand else {})

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.items = state["order"].tolist()
        if self._rand:
            self._rand.set_state(state["rand"])
