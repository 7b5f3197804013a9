"""CheckAtt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("CheckAtt")
class CheckAtt(Layer):
    """Passes on two maps of chances, that a place has attention and that it has none; one place has it at least.

    bottom[0], bottom[1]: two blobs of one shape of four axes; tops: the same numbers, but where no place has more in
    the first than in the second, the first place has 0.51 and 0.49. Nothing takes a gradient. Raises LayerError for
    other shapes.
    Source: CheckAttLayer of chwilms/AttentionMask.
    """

    reads = ()
    origin = "AttentionMask"
    bottom_count = (2, 2)
    top_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].shape != bottom[1].shape or len(bottom[0].shape) != 4 or not bottom[0].count:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; expected the same, of four axes "
                "and at least one number"
            )
        for blob in top:
            blob.reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for below, above in zip(bottom, top, strict=True):
            np.copyto(above.data, below.data)
        if not (bottom[0].data > bottom[1].data).any():
            top[0].data.flat[0], top[1].data.flat[0] = 0.51, 0.49
