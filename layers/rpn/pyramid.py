"""What the layers of unsky's FPN share: levels of a feature pyramid, and RoIs that are shared out to them."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.rpn.anchors import generate_anchors

LEVELS = 5  # of anchors, p2 to p6
ROI_LEVELS = 4  # of RoIs, p2 to p5
SCALES = (16, 32)  # of the anchors, for one pixel of the level; cfg.FPNRSCALES
MIDDLE, USUAL = 224, 2  # a RoI of MIDDLE x MIDDLE pixels is of the level p4, which stands at place 2


def level_anchors(strides: list[int], dtype: type | np.dtype = np.float64) -> list[np.ndarray]:
    """The anchors of the first pixel of each level."""
    return [generate_anchors(stride, scales=SCALES).astype(dtype) for stride in strides]


def check_level_shapes(layer: Layer, shapes: list[tuple[int, ...]], first: int, channels: int) -> None:
    """Raises LayerError unless the bottoms from `first` on are 1 x channels x H x W."""
    for i, shape in enumerate(shapes, first):
        if len(shape) != 4 or shape[:2] != (1, channels):
            raise layer.error(f"bottom[{i}] has the shape {shape}; expected (1, {channels}, height, width)")


def level_rows(rois: np.ndarray) -> list[np.ndarray]:
    """The rows of R x 5 RoIs that belong to each level, by the root of their area.

    Source: Lin et al., Feature Pyramid Networks (2017), equation 1; the area is that of unsky's FPN, whose sides are
    one pixel short.
    """
    width, height = rois[:, 3] - rois[:, 1], rois[:, 4] - rois[:, 2]
    area = width * height
    area[~(area > 0)] = 1e-6
    octave = np.floor(4 + np.log2(np.sqrt(area) / MIDDLE)) - 4
    level = np.clip(octave + USUAL, 0, ROI_LEVELS - 1)
    return [np.flatnonzero(level == i) for i in range(ROI_LEVELS)]
