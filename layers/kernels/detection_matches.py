"""Which detections are right: PASCAL VOC's way of giving detections to objects."""

from __future__ import annotations

from caffe_compat.layers.kernels.boxes import iou
from caffe_compat.layers.kernels.shared import share_of, shared

RIGHT, WRONG, NEITHER = 1, -1, 0


@shared()
def match(boxes, images, starts, truth, truth_starts, difficult, threshold, taken, result, part, parts):
    """Write into result (N int8) whether each of the boxes (N x 4) is RIGHT, WRONG or NEITHER.

    Class c has the rows starts[c] to starts[c + 1] of boxes, the best first, and in image i the rows
    truth_starts[c, i] to truth_starts[c, i + 1] of truth (G x 4). A box is for the object that it overlaps
    most, where that is more than threshold: right if the object is not taken (G bool, false before) yet and
    neither if it is difficult. Source: VOC's development kit; datasets/voc_eval.py of the reference.
    """
    for c in range(*share_of(len(starts) - 1, part, parts)):
        for n in range(starts[c], starts[c + 1]):
            best, most = -1, threshold
            for g in range(truth_starts[c, images[n]], truth_starts[c, images[n] + 1]):
                overlap = iou(boxes, n, truth, g)
                if overlap > most:
                    best, most = g, overlap
            if best < 0 or (taken[best] and not difficult[best]):
                result[n] = WRONG
            elif difficult[best]:
                result[n] = NEITHER
            else:
                result[n] = RIGHT
                taken[best] = True
