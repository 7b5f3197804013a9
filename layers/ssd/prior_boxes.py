"""The prior boxes that SSD's layers take as a bottom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import priors as kernels


class PriorBoxes:
    """What DetectionOutput and MultiBoxLoss do with bottom[2], the top of PriorBox: 1 x 2 x 4P.

    code: how deltas lead to boxes, a PriorBoxParameter.CodeType. in_target: the variances are in what the deltas were
    learnt from, so that `decode` leaves them out. boxes, variances: P x 4, after `read`.
    """

    def __init__(self, layer: Layer, code: int, in_target: bool):
        self.layer, self.code, self.in_target = layer, code, in_target

    def check_shapes(self, bottom: Sequence[Blob], labels: int, classes: int) -> int:
        """Return how many priors there are.

        Raises LayerError unless bottom[0] has 4 x labels numbers a prior, bottom[1] one for each class.
        """
        shape = bottom[2].shape
        if shape[:2] != (1, 2) or bottom[2].count % 8 or not bottom[2].count:
            raise self.layer.error(
                f"bottom[2] has the shape {shape}; expected 1 x 2 x 4P, the top of PriorBox"
            )
        count = bottom[2].count // 8
        for i, each in enumerate((4 * labels, classes)):
            if not bottom[i].shape or bottom[i].count != bottom[0].num * count * each:
                raise self.layer.error(
                    f"bottom[{i}] has the shape {bottom[i].shape}; expected {bottom[0].num} x {count * each}, which "
                    f"is {each} for each of {count} priors"
                )
        return count

    def read(self, blob: Blob) -> None:
        """Take the priors. Raises LayerError for one without width or height, where the code divides by them."""
        self.boxes, self.variances = blob.data.reshape(2, -1, 4)
        flat = (self.boxes[:, 2:] <= self.boxes[:, :2]).any(axis=1)
        if self.code != kernels.CORNER and flat.any():
            row = int(flat.argmax())
            raise self.layer.error(f"prior {row} is {self.boxes[row].tolist()}; expected x1 < x2 and y1 < y2")

    def decode(self, deltas: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The boxes (M x 4) where deltas (M x 4) lead from the priors of these rows, in the order of the deltas."""
        variances = np.ones_like(self.variances) if self.in_target else self.variances
        boxes = np.empty_like(deltas)
        kernels.decode(self.boxes[rows], variances[rows], np.ascontiguousarray(deltas), self.code, boxes)
        return boxes

    def encode(self, rows: np.ndarray, gt_boxes: np.ndarray) -> np.ndarray:
        """The deltas (M x 4), over their variances, from the priors of these rows to the gt_boxes (M x 4)."""
        deltas = np.empty_like(gt_boxes)
        kernels.encode(self.boxes[rows], self.variances[rows], gt_boxes, self.code, deltas)
        return deltas
