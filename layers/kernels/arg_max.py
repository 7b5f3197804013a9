"""The largest elements along an axis."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def _largest_one(x, index, value):
    """Of each column of x."""
    for i in range(len(value)):
        index[i], value[i] = 0, x[0, i]
    for j in range(1, len(x)):
        row, number = x[j], np.float32(j)
        for i in range(len(value)):
            is_more = row[i] >= value[i]
            value[i] = row[i] if is_more else value[i]
            index[i] = number if is_more else index[i]


@shared()
def largest(x, indices, values, part, parts):
    """The k largest of each line along the middle axis, the largest first, of equal ones the last first.

    x: outer x n x inner; indices and values: outer x k x inner, k at most n.
    """
    _, n, inner = x.shape
    k = values.shape[1]
    if k == 1:
        low, high = share_of(inner, part, parts)
        for o in range(len(x)):
            _largest_one(x[o, :, low:high], indices[o, 0, low:high], values[o, 0, low:high])
        return
    for line in range(*share_of(x.shape[0] * inner, part, parts)):
        o, i = line // inner, line % inner
        for j in range(n):
            value = x[o, j, i]
            place = min(j, k)  # that many are sorted already
            if place == k and not value >= values[o, k - 1, i]:
                continue
            place = min(place, k - 1)
            while place > 0 and value >= values[o, place - 1, i]:
                values[o, place, i] = values[o, place - 1, i]
                indices[o, place, i] = indices[o, place - 1, i]
                place -= 1
            values[o, place, i] = value
            indices[o, place, i] = j
