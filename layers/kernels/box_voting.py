"""Box voting: a box becomes the mean of those that overlap it, weighted with their scores."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.boxes import iou
from caffe_compat.layers.kernels.shared import share_of, shared


@shared()
def vote(kept, boxes, scores, starts, ends, threshold, result, part, parts):
    """Write into result (K x 4) for each of kept (K x 4) the mean of boxes[starts[k] : ends[k]].

    Those with an intersection over union of threshold or more count, each with its score as weight.
    """
    for k in range(*share_of(len(kept), part, parts)):
        total = np.float32(0)
        result[k] = np.float32(0)
        for i in range(starts[k], ends[k]):
            if iou(kept, k, boxes, i) >= threshold:
                total += scores[i]
                for corner in range(4):
                    result[k, corner] += scores[i] * boxes[i, corner]
        for corner in range(4):
            result[k, corner] /= total
