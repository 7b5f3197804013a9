"""Two ways to resize an image, along one axis after the other: what skimage and scipy do for pycaffe."""

from __future__ import annotations

import numpy as np


def half_pixels(image: np.ndarray, dims: tuple[int, int], order: int) -> np.ndarray:
    """Pixels are squares; beyond the image there is 0. order: 1 (linear) or 0 (nearest). float64.

    image: height x width x channels. Source: skimage.transform.resize, mode "constant", no anti-aliasing.
    """
    image = image.astype(np.float64)
    for axis, size in enumerate(dims):
        old = image.shape[axis]
        at = (np.arange(size) + 0.5) * (old / size) - 0.5
        padded = np.pad(image, [(1, 1) if i == axis else (0, 0) for i in range(image.ndim)])
        image = _take(padded, at + 1, axis, order)
    return image


def align_corners(image: np.ndarray, dims: tuple[int, int], order: int) -> np.ndarray:
    """Pixels are points, the first and the last stay where they are. order: 1 (linear) or 0 (nearest). float64.

    image: height x width x channels. Source: scipy.ndimage.zoom.
    """
    image = image.astype(np.float64)
    for axis, size in enumerate(dims):
        image = _take(image, np.linspace(0, image.shape[axis] - 1, size), axis, order)
    return image


def _take(image: np.ndarray, at: np.ndarray, axis: int, order: int) -> np.ndarray:
    last = image.shape[axis] - 1
    if order == 0:
        return image.take(np.clip(np.floor(at + 0.5), 0, last).astype(int), axis)
    low = np.clip(np.floor(at), 0, last).astype(int)
    part = (at - low).reshape([-1 if i == axis else 1 for i in range(image.ndim)])
    return image.take(low, axis) * (1 - part) + image.take(np.minimum(low + 1, last), axis) * part
