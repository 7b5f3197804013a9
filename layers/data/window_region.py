"""Where the padded windows of WindowData lie in the image, and where in the warped square."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Region(NamedTuple):
    """A part of an image (both corners included), the size it is warped to, and the padding around that."""

    box: tuple[int, int, int, int]
    size: tuple[int, int]  # width, height
    left: int
    right: int
    above: int


def window_region(
    box: tuple[int, int, int, int], image: tuple[int, int], crop: int, pad: int, square: bool
) -> Region:
    """What to cut of an image (width, height) for a window (x1, y1, x2, y2, both corners included).

    The window, made square if `square`, is grown so that after warping to crop x crop there are `pad` pixels around
    it; what then lies outside of the image becomes the region's padding. float32, as in the original.
    """
    if not pad and not square:
        return Region(box, (crop, crop), 0, 0, 0)
    side = np.float32(crop)
    context = side / np.float32(crop - 2 * pad)
    half = [np.float32((box[i + 2] - box[i] + 1) / 2) for i in (0, 1)]
    centre = [np.float32(box[i]) + half[i] for i in (0, 1)]
    if square:
        half = [max(half)] * 2
    cut, sizes, pads = [], [], []
    for middle, size, length in zip(centre, half, image, strict=True):
        start, end = _round(middle - size * context), _round(middle + size * context)
        before, after = max(0, -start), max(0, end - length + 1)
        scale = side / np.float32(end - start + 1)
        start, end = start + before, end - after
        cut.append((start, end))
        sizes.append(_round(np.float32(end - start + 1) * scale))
        pads.append((_round(np.float32(before) * scale), _round(np.float32(after) * scale)))
    (x1, x2), (y1, y2) = cut
    return Region((x1, y1, x2, y2), (sizes[0], sizes[1]), *pads[0], pads[1][0])


def _round(value: np.float32) -> int:
    """Halves away from zero, as C does."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))
