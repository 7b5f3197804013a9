"""What layers share that read maps between their pixels, at places that other values say."""

from __future__ import annotations

from functools import reduce

import numpy as np

from caffe_compat.onnx_export.operators import Operators

Places = tuple[str, str]  # rows and columns, in float32


def picked(write: Operators, values: str, *indices: str) -> str:
    """values[indices], as in numpy: int64 indices of the first axes, which are broadcast."""
    shape = write("Shape", reduce(lambda a, b: write("Add", a, b), indices))
    last = write.ints([-1])
    parts = (write("Unsqueeze", write("Expand", index, shape), last) for index in indices)
    return write("GatherND", values, write("Concat", *parts, axis=-1))


def last_pixels(write: Operators, maps: str) -> tuple[str, str]:
    """The last row and the last column of N x C x H x W maps, in float32."""
    one = write.floats([1])
    return write("Sub", write.size(maps, 2), one), write("Sub", write.size(maps, 3), one)


def within(write: Operators, places: Places, ends: tuple[str, str], before: str) -> str:
    """Which places are from 0 on, and before the ends of rows and columns: as ONNX's Less or LessOrEqual says."""
    zero = write.floats(0)
    flags = [
        write("And", write("GreaterOrEqual", place, zero), write(before, place, end))
        for place, end in zip(places, ends, strict=True)
    ]
    return write("And", *flags)


def bilinear(write: Operators, maps: str, places: Places) -> str:
    """N x C x P: maps, N x C x H x W, at places, N x P each; beyond the border is what is on it."""
    last, width = last_pixels(write, maps), write.dims(maps, 3, 4)
    pixels = write("Transpose", write.reshape(maps, 0, 0, -1), perm=[0, 2, 1])  # a row for all channels
    rows, columns = (around(write, place, end) for place, end in zip(places, last, strict=True))
    total = None
    for row, of_row in rows:
        for column, of_column in columns:
            index = write("Add", write("Mul", row, width), column)
            values = write("GatherND", pixels, write("Unsqueeze", index, write.ints([2])), batch_dims=1)
            weight = write("Unsqueeze", write("Mul", of_row, of_column), write.ints([2]))
            part = write("Mul", weight, values)
            total = part if total is None else write("Add", total, part)
    assert total is not None
    return write("Transpose", total, perm=[0, 2, 1])


def around(write: Operators, place: str, last: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """The pixels before and behind a place along an axis, and what each weighs; `last` is the axis's last one.

    A place that is NaN is the first one: there is no pixel of that number.
    """
    zero = write.floats(0)
    place = write("Where", write("Greater", place, zero), write("Min", place, last), zero)
    low = write("Floor", place)
    high = write("Min", write("Add", low, write.floats(1)), last)
    after = write("Sub", place, low)
    before = write("Sub", write.floats(1), after)
    return (write.cast(low, np.int64), before), (write.cast(high, np.int64), after)
