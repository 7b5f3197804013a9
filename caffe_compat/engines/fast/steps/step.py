"""Step: computes one layer, or several at once, as rows of a table that compiled code reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from caffe_compat.blob import Blob, data_stamps
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.step import STEP

Blobs = Sequence[Sequence[Blob]]  # one sequence a layer


@dataclass
class Row:
    """A row of the table (STEP), the fields that are addresses of blobs' data, some numbers behind its begin, and those
    that are addresses of functions."""

    fields: Any
    blobs: list[tuple[str, Blob, int]]
    functions: list[tuple[str, Callee]]

    def calls(self) -> Iterator[Callee]:
        """The functions that it needs."""
        return (function for _, function in self.functions)

    def link(self) -> None:
        """Write the addresses of functions."""
        for field, function in self.functions:
            self.fields[field] = function.address

    def uses(self) -> Iterator[Blob]:
        """The blobs whose data it needs."""
        return (blob for _, blob, _ in self.blobs)

    def place(self, address: Callable[[Blob], int]) -> None:
        """Write the addresses, where each blob's data has its own."""
        for field, blob, offset in self.blobs:
            self.fields[field] = address(blob) + FLOAT * offset


Calls = Sequence[Row | Callable[[], None]]
# a step of less work than this is done sooner by one thread: products, and numbers read and written
LEAST_PRODUCTS, LEAST_NUMBERS = 400_000, 60_000


class Step:
    """Computes the tops of consecutive layers from the bottoms of the first one.

    layers: those it computes. `rows` says how, for bottoms and tops that have their shapes; what rows point to is kept
    until the next call.
    """

    def __init__(self, layers: Sequence[Layer]):
        self.layers = layers
        self.params = [blob for layer in layers for blob in layer.blobs]
        for blob in self.params:
            blob.track(diff=False)
        self.pointed: list[Blob] = []  # params that rows point to
        self._stamps: list[int] | None = None  # of the params that are loaded
        self._kept: list[np.ndarray] = []

    @staticmethod
    def fits(layer: Layer) -> bool:
        """Whether a layer, which is of float32, can be the first of such a step."""
        raise NotImplementedError

    def share(self, bottoms: Blobs, tops: Blobs) -> None:
        """Let tops that are their bottoms have the same memory."""

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        """Whether an image of the tops needs nothing but that image of the bottoms, and can be made by itself."""
        return False

    @staticmethod
    def keeps_enough(layer: Layer) -> bool:
        """Whether a backward of the layer finds all that it reads, though its own forward has not run."""
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        """Rows (STEP), and functions, to run in order; None where the layers do better one by one.

        A row with a scratch_size gets so much memory for each of its parts.
        """
        raise NotImplementedError

    def load(self) -> None:
        """Bring the params into the form that the rows point to."""

    def refresh(self) -> None:
        """Load the params again if somebody may have written to them."""
        if self._stamps is None or data_stamps(self.params) != self._stamps:
            self.load()
            held = any(blob.data_is_held for blob in self.params)
            self._stamps = None if held else data_stamps(self.params)

    def forget(self) -> None:
        """Let the next `refresh` load the params, for rows that are new."""
        self._stamps, self._kept = None, []

    def row(self, **fields: Any) -> Row:
        """One row; arrays and Callees stand for their addresses, Blobs for those of their data, with a number for one
        behind it.

        Without a limit there is none. Arrays are contiguous, of float32 or int64, as compiled code takes them.
        """
        result = Row(np.zeros(1, STEP), [], [])
        result.fields["limit"] = np.inf
        for name, value in fields.items():
            if isinstance(value, Blob):
                result.blobs.append((name, value, 0))
            elif isinstance(value, tuple):
                result.blobs.append((name, *value))
            elif isinstance(value, Callee):
                result.functions.append((name, value))
            elif isinstance(value, np.ndarray):
                assert value.flags.c_contiguous and value.dtype in (np.float32, np.int64), name
                self._kept.append(value)
                result.fields[name] = value.ctypes.data
            else:
                assert not isinstance(value, float) or STEP[name].kind == "f", name
                result.fields[name] = value
        return result


def parts_of(work: int, least: int, threads: int) -> int:
    """How many threads share some work."""
    return threads if work >= least else 1
