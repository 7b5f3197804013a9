"""Splatting, blurring and slicing of a permutohedral lattice. Values are channels x pixels."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def filter_values(values, vertices, weights, neighbours, reverse, work, out, part, parts):
    """Add the filtered values to out.

    vertices, weights: pixels x axes, of each pixel its simplex's lattice points and what they weigh. neighbours: axes
    x 2 x points. Points count from 1: 0 stands for one that is not there. reverse: the axes from the last one on, which
    is the transposed filter. work: channels x 2 x (points + 1).
    """
    axes, pixels = len(neighbours), len(vertices)
    half = values.dtype.type(0.5)
    alpha = values.dtype.type(np.float32(1 / (1 + 2.0 ** -(axes - 1))))
    for c in range(*share_of(len(values), part, parts)):
        old, new = work[c, 0], work[c, 1]
        old[:] = 0
        new[0] = 0
        for i in range(pixels):
            for j in range(axes):
                old[vertices[i, j]] += weights[i, j] * values[c, i]
        for step in range(axes):
            j = axes - 1 - step if reverse else step
            for m in range(1, old.size):
                new[m] = old[m] + half * (old[neighbours[j, 0, m - 1]] + old[neighbours[j, 1, m - 1]])
            old, new = new, old
        for i in range(pixels):
            for j in range(axes):
                out[c, i] += weights[i, j] * old[vertices[i, j]] * alpha
