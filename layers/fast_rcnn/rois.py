"""What the layers that pool regions of interest share: bottom[0] N x C x H x W maps, bottom[1] R x 5 RoIs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.warn_once import warn_once

BORDER = 3  # cells of the map by which a RoI inside the image may miss it, where convolutions are not padded
FARTHEST = 2.0**30  # on the map; beyond, sums of coordinates leave C's int


def read_bins(layer: Layer, pooled_h: int, pooled_w: int) -> tuple[int, int]:
    """The rows and columns of bins. Raises LayerError where there are none."""
    if min(pooled_h, pooled_w) < 1:
        raise layer.error(f"pooled_h is {pooled_h} and pooled_w {pooled_w}; both must be above 0")
    return pooled_h, pooled_w


def check_shapes(layer: Layer, bottom: Sequence[Blob]) -> None:
    """Raises LayerError unless there are maps of four axes and five numbers a RoI."""
    if len(bottom[0].shape) != 4:
        raise layer.error(f"bottom[0] has the shape {bottom[0].shape}; expected maps N x C x H x W")
    if bottom[1].count != 5 * bottom[1].num:
        raise layer.error(f"bottom[1] has the shape {bottom[1].shape}; expected R x 5: image, x1, y1, x2, y2")


def read_rois(
    layer: Layer,
    bottom: Sequence[Blob],
    scale: np.float32,
    pad_ratio: float = 0.0,
    outside: str = "0 is pooled there",
) -> np.ndarray:
    """Return the RoIs as R x 5. Raises LayerError for one of no image, not finite, or too far away.

    Each side of a RoI is moved out by pad_ratio of its width, or height (MS-CNN's context).

    Of RoIs that end before they start, and of those outside the image, Caffe computes numbers, and so do we; the
    layer's first ones of each kind are a warning; `outside` says what comes of the latter.
    """
    rois, images = bottom[1].data.reshape(-1, 5), bottom[0].num
    regions = grown(rois, pad_ratio)
    in_batch = (rois[:, 0] >= 0) & (rois[:, 0] < images)
    placed = (np.abs(regions[:, 1:] * scale) < FARTHEST).all(axis=1)  # NaN is not
    wrong = np.flatnonzero(~(in_batch & placed))
    if wrong.size:
        image, *corners = (float(value) for value in rois[wrong[0]])
        if not in_batch[wrong[0]]:
            held = f"the images 0 to {images - 1}" if images else f"no image, in the shape {bottom[0].shape}"
            raise layer.error(f"RoI {wrong[0]} is of image {image:g}; bottom[0] holds {held}")
        raise layer.error(
            f"RoI {wrong[0]} has the corners {corners}; expected finite pixels whose places on the map "
            f"(times spatial_scale, {scale:g}) are below 2**30"
        )
    _warn(layer, bottom[0].shape[2:], rois, scale, outside)
    return regions


def grown(rois: np.ndarray, pad_ratio: float) -> np.ndarray:
    """The RoIs (R x 5) with each side moved out by pad_ratio of the width, or height, as MS-CNN does it."""
    if not pad_ratio:
        return rois
    pad = (rois[:, 3:5] - rois[:, 1:3] + np.float32(1)) * np.float32(pad_ratio)
    return np.hstack([rois[:, :1], rois[:, 1:3] - pad, rois[:, 3:5] + pad])


def _warn(layer: Layer, size: Sequence[int], rois: np.ndarray, scale: np.float32, outside: str) -> None:
    upper_left, lower_right = rois[:, 1:3], rois[:, 3:5]
    height, width = size
    kinds = {
        "ends before it starts; it counts as the smallest region at its x1, y1": lower_right < upper_left,
        f"lies outside the image; {outside}": (
            (np.maximum(lower_right, upper_left) * scale < -BORDER)
            | (upper_left * scale > (width + BORDER, height + BORDER))
        ),
    }
    for text, is_so in kinds.items():
        found = np.flatnonzero(is_so.any(axis=1))
        if found.size:
            image, *box = (f"{value:g}" for value in rois[found[0]])
            warn_once(
                layer,
                f"RoI {found[0]} (image {image}, box {' '.join(box)}) {text}, as in Caffe ({found.size} of {len(rois)} "
                "RoIs); expected image, x1, y1, x2, y2 in pixels of the data",
                about=text,
            )
