"""What ScaleRoute and HardMining share: tops that are rows of the bottoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


class SelectedRows(Layer):
    """Copies the chosen rows of some bottoms, the RoIs R x 5 first, to as many tops. Nothing takes a gradient.

    Tops have four axes, N x C x H x W, as in the original.
    """

    has_backward = False
    counts_rows = True
    first = 0  # the bottom that the first top is taken from

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.no_gradient = tuple(range(len(bottom)))
        if len(top) != len(bottom) - self.first:
            raise self.error(
                f"there are {len(bottom)} bottoms and {len(top)} tops; it needs {len(bottom) - self.first}, one for "
                f"each bottom{' but the first' if self.first else ''}"
            )
        self._shape(bottom, top, 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many rows the tops have is known after forward."""
        rois = bottom[self.first]
        if rois.count != 5 * rois.num:
            raise self.error(
                f"bottom[{self.first}] has the shape {rois.shape}; expected {(rois.num, 5)}: image, x1, y1, x2, y2"
            )
        for index, blob in enumerate(bottom):
            if blob.num != rois.num or len(blob.shape) > 4:
                raise self.error(
                    f"bottom[{index}] has the shape {blob.shape}; expected {rois.num} rows, one for each RoI, and at "
                    "most four axes"
                )
        if rois.num == 0:
            raise self.error("there are no RoIs to choose from")

    def choose(self, bottom: Sequence[Blob]) -> np.ndarray:
        """The indices of the rows that the tops get, in their order."""
        raise NotImplementedError

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rows = self.choose(bottom)
        self._shape(bottom, top, len(rows))
        for blob, source in zip(top, bottom[self.first :], strict=True):
            blob.data[...] = source.data[rows].reshape(blob.shape)

    def _shape(self, bottom: Sequence[Blob], top: Sequence[Blob], rows: int) -> None:
        for blob, source in zip(top, bottom[self.first :], strict=True):
            blob.reshape(rows, source.channels, source.height, source.width)
