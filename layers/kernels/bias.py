"""The bias as what a matrix product starts from, which is cheaper than a pass over the result; and its gradient."""

from __future__ import annotations

from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def fill_rows(bias, low, high, out, part, parts):
    """out[i, low:high] = bias[i]."""
    for i in range(*share_of(out.shape[0], part, parts)):
        out[i, low:high] = bias[i]


@shared()
def fill_columns(bias, out, part, parts):
    """out[:, j] = bias[j]."""
    for i in range(*share_of(out.shape[0], part, parts)):
        row = out[i]
        for j in range(len(row)):
            row[j] = bias[j]


@shared(fastmath={"reassoc", "nsz", "contract"})
def add_sums(diffs, out, part, parts):
    """out[c] += the sum of diffs[:, c], which is outer x channels x inner."""
    outer, channels, inner = diffs.shape
    for c in range(*share_of(channels, part, parts)):
        total = 0.0
        for n in range(outer):
            row = diffs.dtype.type(0)
            for i in range(inner):
                row += diffs[n, c, i]
            total += row
        out[c] += total
