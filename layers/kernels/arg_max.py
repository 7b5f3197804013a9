"""The largest elements along an axis."""

from __future__ import annotations

from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def largest(x, indices, values, part, parts):
    """The k largest of each line along the middle axis, the largest first, of equal ones the last first.

    x: outer x n x inner; indices and values: outer x k x inner, k at most n.
    """
    _, n, inner = x.shape
    k = values.shape[1]
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
