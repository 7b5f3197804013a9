"""Maps that are made stronger where objects are, while training is young."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.follows_training import FollowsTraining
from caffe_compat.layers.registry import register
from caffe_compat.layers.yolo import truths

OVER = 0.75  # of max_iter: from here on nothing is added


@register("AssistedExcitation")
class AssistedExcitation(FollowsTraining):
    """bottom[0], plus alpha times bottom[2] at the pixels of objects, in every channel of the first image.

    bottom[0]: N x C x H x W. bottom[1]: N x 1 x T x 5 objects, class, x, y, w, h in parts of the image; a list ends
    at the first row of zeros. bottom[2]: N x H x W, as a rule the mean over the channels. alpha falls from 1 to 0
    with a cosine over the first three quarters of the training. The other images stay as they are, and bottom[2] gets
    the gradient 0: both are the original's, which leaves that diff unwritten. Raises LayerError for shapes that do
    not fit.
    Source: AssistedExcitationLayer of the Caffe of MobileNet-YOLO; Derakhshani and others (2019).
    """

    reads = ()
    origin = "MobileNet-YOLO"
    bottom_count = (3, 3)
    no_gradient = (1,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or not bottom[0].count or bottom[2].count * shape[1] != bottom[0].count:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[2].shape}; expected N x C x H x W, and N x H x W "
                "in the third"
            )
        truths.check_rows(self, bottom[1], shape[0])
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data
        height, width = bottom[0].shape[2:]
        mask = np.zeros((height, width), bool)
        for _, x, y, w, h in truths.until(truths.read_rows(self, bottom[1])[0], 1).tolist():
            columns = _pixels(x - w / 2, x + w / 2, width)
            mask[_pixels(y - h / 2, y + h / 2, height), columns] = True
        alpha = max(0.0, math.cos(min(self.progress / OVER, 2) * math.pi / 2))
        added = bottom[2].data.reshape(-1, height, width)[0] * bottom[2].dtype.type(alpha)
        top[0].data[0] += np.where(mask, added, 0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff
        if propagate_down[2]:
            bottom[2].diff.fill(0)


def _pixels(low: float, high: float, size: int) -> slice:
    """Those that a part of the image touches; a rest of less than a twentieth does not count. One at least."""
    first = min(max(int(low * size), 0), size - 1)
    return slice(first, min(max(int(high * size + 0.95), first + 1), size))
