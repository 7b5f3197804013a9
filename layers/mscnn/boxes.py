"""Boxes in pixels: as corners (x1 y1 x2 y2, both inside) or as corner and size (x y w h), on the last axis."""

from __future__ import annotations

import numpy as np

HALF, ONE, TWO = np.float32(0.5), np.float32(1), np.float32(2)


def sized(corners: np.ndarray) -> np.ndarray:
    """x y w h of boxes given as corners."""
    low, high = corners[..., :2], corners[..., 2:]
    return np.concatenate([low, high - low + ONE], axis=-1)


def cornered(boxes: np.ndarray) -> np.ndarray:
    """x1 y1 x2 y2 of boxes given as corner and size."""
    low, size = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([low, low + size - ONE], axis=-1)


def overlap(a: np.ndarray, b: np.ndarray, pixel: int = 1) -> np.ndarray:
    """Intersection over union of boxes x y w h, which are broadcast; 0 where one has no size.

    pixel: 1 where what is less than a pixel wide or high counts as no intersection (Cascade R-CNN), 0 where it counts
    (MS-CNN). Source: JaccardOverlap of the one, BoxIOU of the other.
    """
    one = np.float32(pixel)
    low = np.maximum(a[..., :2], b[..., :2])
    size = np.minimum(a[..., :2] + a[..., 2:] - one, b[..., :2] + b[..., 2:] - one) - low
    both = np.where((size >= 0).all(axis=-1), (size + one).prod(axis=-1), 0)
    union = a[..., 2:].prod(axis=-1) + b[..., 2:].prod(axis=-1) - both
    has_size = (a[..., 2:] > 0).all(axis=-1) & (b[..., 2:] > 0).all(axis=-1)
    return np.divide(both, union, out=np.zeros(union.shape, union.dtype), where=has_size)


def common_areas(a: np.ndarray, b: np.ndarray, pixel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each of N boxes x1 y1 x2 y2 has in common with each of K, N x K, and the areas of the N and of the K.

    pixel: how wide a box from x to x is, 1 (Cascade R-CNN) or 0 (MS-CNN). 0 where a box ends before it starts, and
    where both have but one row in common. Source: JaccardOverlap of the one, BoxIOU of the other.
    """
    more = np.float32(pixel)
    size = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    both = np.where((size[..., 0] >= 0) & (size[..., 1] > 0), (size + more).prod(axis=-1), 0)
    area_a, area_b = (np.maximum(boxes[:, 2:] - boxes[:, :2] + more, 0).prod(axis=1) for boxes in (a, b))
    return both, area_a, area_b


def overlaps_of_corners(a: np.ndarray, b: np.ndarray, pixel: int = 1) -> np.ndarray:
    """Intersection over union of each of N boxes x1 y1 x2 y2 with each of K: N x K."""
    both, area_a, area_b = common_areas(a, b, pixel)
    union = area_a[:, None] + area_b - both
    return np.divide(both, union, out=np.zeros_like(union), where=union > 0)


def encoded(boxes: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The offsets (dx dy dw dh) that lead from boxes x y w h to the target boxes."""
    size, centre = boxes[..., 2:], boxes[..., :2] + HALF * boxes[..., 2:]
    move = (targets[..., :2] + HALF * targets[..., 2:] - centre) / size
    return np.concatenate([move, np.log(targets[..., 2:] / size)], axis=-1)


def decoded(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The boxes x y w h to which offsets (dx dy dw dh) lead from boxes x1 y1 x2 y2."""
    size = boxes[..., 2:] - boxes[..., :2] + ONE
    centre = HALF * (boxes[..., 2:] + boxes[..., :2])
    with np.errstate(over="ignore"):
        new = size * np.exp(offsets[..., 2:])
    return np.concatenate([offsets[..., :2] * size + centre - (new - ONE) / TWO, new], axis=-1)
