"""Elements moved to and from the places that a mask gives. Arrays are planes x elements, a mask has flat indices."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def scatter(values, mask, target, part, parts):
    """target[mask] = values, the last one where there are several, and 0 elsewhere."""
    for p in range(*share_of(len(values), part, parts)):
        target[p] = np.float32(0)
        for i in range(values.shape[1]):
            target[p, np.int64(mask[p, i])] = values[p, i]


@shared()
def gather(source, mask, values, part, parts):
    """values = source[mask]."""
    for p in range(*share_of(len(values), part, parts)):
        for i in range(values.shape[1]):
            values[p, i] = source[p, np.int64(mask[p, i])]
