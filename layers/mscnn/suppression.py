"""Non-maximum suppression as nms_type has it."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.nms import nms_of_kind

KINDS = ("IOU", "IOMU", "IOFU")  # over the union, over the smaller box, over the better one


class Suppression:
    """Keeps the boxes that no better one overlaps by more than iou_thr. pixel: how wide a box from x to x is, 0 or 1.

    Raises LayerError for an nms_type that is none.
    """

    def __init__(self, layer: Layer, nms_type: str, iou_thr: float, pixel: int):
        if nms_type not in KINDS:
            raise layer.error(f"nms_type is '{nms_type}'; expected one of {', '.join(KINDS)}")
        self.kind, self.threshold, self.pixel = KINDS.index(nms_type), np.float32(iou_thr), np.float32(pixel)

    def kept(self, boxes: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """The indices of the boxes x1 y1 x2 y2 (best first, with these areas) that stay."""
        keep = np.empty(len(boxes), bool)
        nms_of_kind(boxes, areas, self.pixel, self.kind, self.threshold, keep)
        return np.flatnonzero(keep)
