"""The maps of ground truth that DetectionData and ImageGtData make: what is to be predicted at each place."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.mscnn.anchors import last_axis

CHANNELS = 6  # class, centre x, centre y, width, height, overlap


class GroundTruth:
    """Maps N x 6 x H x W. All are N x H x W (boxes with a last axis of 4, centre and size).

    raw: the class; label: the same, with objectness at most 1. ignored: where the label does not count; box_ignored:
    where the box does not. overlap: of the best box, also where the class is 0 because it overlaps too little.
    """

    def __init__(self, maps: np.ndarray, objectness: bool, ignore: int | None):
        with np.errstate(invalid="ignore"):
            self.raw = maps[:, 0].astype(np.int64)
        self.label = np.minimum(self.raw, 1) if objectness else self.raw
        self.ignored, self.box_ignored = (
            np.zeros(labels.shape, bool) if ignore is None else labels == ignore
            for labels in (self.label, self.raw)
        )
        self.boxes, self.overlap = last_axis(maps)[..., 1:5], maps[:, 5]

    def check(self, layer: Layer, classes: int) -> None:
        """Raises LayerError for a label that is neither a class nor ignored."""
        wrong = ~self.ignored & ((self.label < 0) | (self.label >= classes))
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise layer.error(
                f"the ground truth has class {self.raw[place]} at {place} (row, y, x); there are classes 0 to "
                f"{classes - 1}"
            )
