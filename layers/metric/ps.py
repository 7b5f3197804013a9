"""PS: four parts of images of persons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("PS")
class PS(Layer):
    """Images in four parts, one below the other: each has a quarter of the rows, rounded down, the last one the rest.

    bottom: N x C x H x W; top: N x C x H / 4 x W, and N x C x what is left x W. Raises LayerError for other axes, and
    for fewer than four rows. Source: PSLayer of Point to Set metric learning (sanpingzhou/Person-Re-ID), which writes
    the last part's channels over each other where 4 does not divide H.
    """

    reads = ()
    top_count = (4, 4)
    origin = "sanpingzhou"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[2] < 4:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W, with H at least 4")
        self.cuts = [shape[2] // 4 * part for part in (1, 2, 3)]
        for blob, rows in zip(top, np.diff([0, *self.cuts, shape[2]]), strict=True):
            blob.reshape(*shape[:2], int(rows), shape[3])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, part in zip(top, np.split(bottom[0].data, self.cuts, axis=2), strict=True):
            blob.data[...] = part

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.concatenate([blob.diff for blob in top], axis=2, out=bottom[0].diff)
