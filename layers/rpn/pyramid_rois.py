"""As_roisLayer of unsky's FPN, and its form for one R-CNN of all levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.rpn.pyramid import ROI_LEVELS, level_rows

FEWEST = 4  # rows of a level without RoIs


def padded(rows: np.ndarray, count: int, fill: float = 0) -> np.ndarray:
    """`count` rows, first these."""
    result = np.full((count, *rows.shape[1:]), fill, rows.dtype)
    result[: len(rows)] = rows
    return result


class AsRoisMergeRcnnLayer(Layer):
    """`python_param { module: "rpn.as_rois_mrcnn" layer: "As_rois_MergeRcnnLayer" }`: shares RoIs out to four levels.

    bottom[0]: R x 5 RoIs (0, x1, y1, x2, y2). top[1] to [4]: those of the levels p2 to p5, see level_rows; a level
    without any has four RoIs of 0. top[0]: all four, one after the other. Raises LayerError for another shape.
    Source: rpn.as_rois_mrcnn of unsky/FPN.
    """

    origin = "unsky's FPN"
    top_count = (ROI_LEVELS + 1, ROI_LEVELS + 1)
    no_gradient = (0,)
    has_backward = False
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._shape_tops(top, [self._rows(0)] * ROI_LEVELS)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the RoIs; how many each level has is known after forward."""
        if bottom[0].count != 5 * bottom[0].num:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; expected R x 5: image, x1, y1, x2, y2"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rois = bottom[0].data.reshape(-1, 5)
        parts = [padded(rois[rows], self._rows(len(rows))) for rows in level_rows(rois)]
        self._shape_tops(top, [len(part) for part in parts])
        for blob, values in zip(top, [np.concatenate(parts), *parts], strict=True):
            blob.data[...] = values

    def _rows(self, count: int) -> int:
        """How many rows a level of so many RoIs has."""
        return count or FEWEST

    def _shape_tops(self, top: Sequence[Blob], rows: list[int]) -> None:
        for blob, count in zip(top, [sum(rows), *rows], strict=True):
            blob.reshape(count, 5)


class AsRoisLayer(AsRoisMergeRcnnLayer):
    """`python_param { module: "rpn.as_rois" layer: "As_roisLayer" }`: as AsRoisMergeRcnnLayer, but each level has as
    many rows as there are RoIs at most (most_rois; a configuration's TEST.RPN_POST_NMS_TOP_N), first its own. Raises
    LayerError where there are more.

    Source: rpn.as_rois of unsky/FPN.
    """

    counts_rows = False

    most_rois = 1000

    def _rows(self, count: int) -> int:
        if count > self.most_rois:
            raise self.error(f"a level has {count} RoIs; most_rois is {self.most_rois}")
        return self.most_rois
