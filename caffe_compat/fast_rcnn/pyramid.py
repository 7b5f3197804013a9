"""A photo at several scales, as a net gets it for detection."""

from __future__ import annotations

import numpy as np

from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.images import image_blob

_BEST_AREA = 224 * 224  # pixels of a RoI at the level of the pyramid that it goes to


class Pyramid:
    """A photo at all scales of TEST.SCALES: `blob` (levels x 3 x H x W), `scales`, and `size`, height and width."""

    def __init__(self, image: np.ndarray, cfg: Config):
        sizes = cfg.TEST.SCALES
        self.size: tuple[int, int] = image.shape[:2]
        self.blob, scales = image_blob([image] * len(sizes), sizes, cfg.TEST.MAX_SIZE, cfg.PIXEL_MEANS)
        self.scales = np.array(scales)

    def rois(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes of the photo (R x 4) in the pyramid: R x 5 float32, the level and the scaled box.

        Each goes to the level where its area is nearest to 224 x 224.
        """
        boxes = boxes.astype(np.float64)
        areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
        levels = np.abs(areas[:, None] * self.scales**2 - _BEST_AREA).argmin(axis=1)
        return np.hstack((levels[:, None], boxes * self.scales[levels, None])).astype(np.float32)
