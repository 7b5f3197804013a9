"""The places of a window, one after the other, wherever it lies on a map."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import NamedTuple

from caffe_compat.layers.common.windows import overlaps

Places = tuple[EllipsisType, slice, slice]  # of the last two axes of an array


class Square(NamedTuple):
    """Windows of kernel x kernel places, `dilation` pixels apart."""

    kernel: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        """How many pixels a window spans."""
        return (self.kernel - 1) * self.dilation + 1

    def count(self, size: int) -> int:
        """How many windows lie within an axis of this size and its padding."""
        return (size + 2 * self.pad - self.extent) // self.stride + 1

    def taps(self, shape: Sequence[int], counts: Sequence[int]) -> Iterator[tuple[int, Places, Places]]:
        """For each place of the window inside a map H x W: its number, the windows that have it there, and where."""
        rows, columns = (
            {
                k: pair
                for k, *pair in overlaps((self.kernel, self.stride, self.pad), size, count, self.dilation)
            }
            for size, count in zip(shape, counts, strict=True)
        )
        for row, column in itertools.product(rows, columns):
            windows, places = zip(rows[row], columns[column], strict=True)
            yield row * self.kernel + column, (..., *windows), (..., *places)
