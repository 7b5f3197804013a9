"""The anchors of region proposal networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.anchors import shifted_anchors


def half_up(x: np.ndarray) -> np.ndarray:
    """Round halves up, as C does with (int)(x + 0.5)."""
    return np.floor(x + 0.5)


def generate_anchors(
    base_size: int = 16,
    ratios: Sequence[float] = (0.5, 1, 2),
    scales: Sequence[float] = (8, 16, 32),
    rounded: Callable[[np.ndarray], np.ndarray] = np.round,
) -> np.ndarray:
    """Return the anchors of the map's first pixel, (ratios * scales) x 4 float64 (x1 y1 x2 y2), scales fastest.

    Each has the area of a square of base_size times its scale, and its ratio of height to width, both sides
    rounded before the scale is applied. All are centred on that square.
    Source: generate_anchors of py-faster-rcnn.
    """
    widths = rounded(np.sqrt(base_size**2 / np.asarray(ratios, float)))
    heights = rounded(widths * ratios)
    reach = (np.multiply.outer(np.stack([widths, heights], axis=1), scales) - 1) / 2
    centre = (base_size - 1) / 2
    corners = [centre - reach, centre + reach]
    return np.concatenate(corners, axis=1).transpose(0, 2, 1).reshape(-1, 4)


def anchors_on_map(anchors: np.ndarray, stride: float, height: int, width: int) -> np.ndarray:
    """Return the anchors at every pixel of a map, (height * width * A) x 4 in the anchors' dtype."""
    result = np.empty((height * width * len(anchors), 4), anchors.dtype)
    shifted_anchors(anchors, stride, height, width, result)
    return result


def boxes_with_class(layer: Layer, blob: Blob) -> np.ndarray:
    """Return the boxes of gt_boxes, G x 5 (x1 y1 x2 y2 class), or G x 6 with another label of each, as person search
    has. Raises LayerError for none, and another shape."""
    if len(blob.shape) != 2 or blob.shape[1] not in (5, 6) or not blob.shape[0]:
        raise layer.error(
            f"gt_boxes has the shape {blob.shape}; expected one row or more of x1, y1, x2, y2, class"
        )
    return blob.data
