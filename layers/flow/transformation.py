"""Where FlowNet2's layers take the pixels of a transformed image from."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.flow.coefficients import Coefficients

F = np.float32
BORDER = F(1.05)


def matrix(coefficients: Coefficients, crop: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    """3 x 3: from a pixel's (x, y, 1) of the crop to its place in the image. crop, size: heights and widths.

    Around the middle: mirrored, turned by angle, moved by (dx, dy) times the crop's width and height, and shrunk by
    zoom_x and zoom_y. Source: AugmentationLayerBase::tTransMat of lmb-freiburg/flownet2.
    """
    c = coefficients
    side = F(-1 if c["mirror"] else 1)
    cos, sin = np.cos(c["angle"]), np.sin(c["angle"])
    half_crop, half_size = (F(0.5) * np.array(pair, F) for pair in (crop, size))
    with np.errstate(all="ignore"):
        steps = (
            [[side, 0, -side * half_crop[1]], [0, 1, -half_crop[0]]],
            [[cos, -sin, 0], [sin, cos, 0]],
            [[1, 0, c["dx"] * F(crop[1])], [0, 1, c["dy"] * F(crop[0])]],
            [[F(1) / c["zoom_x"], 0, 0], [0, F(1) / c["zoom_y"], 0]],
            [[1, 0, half_size[1]], [0, 1, half_size[0]]],
        )
        result = np.eye(3, dtype=F)
        for step in steps:
            result = np.array([*step, [0, 0, 1]], F) @ result
    return result


def fits(coefficients: Coefficients, crop: tuple[int, ...], size: tuple[int, ...]) -> bool:
    """Whether the corners of the crop lie inside the image, a pixel before its last row and column at most."""
    corners = np.array([(x, y, 1) for x in (0, crop[1] - 1) for y in (0, crop[0] - 1)], F)
    with np.errstate(all="ignore"):
        places = np.floor((matrix(coefficients, crop, size) @ corners.T)[:2])
    return bool(((places >= 0) & (places <= np.array([[size[1] - 2], [size[0] - 2]]))).all())


def places(transformation: np.ndarray, crop: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel of the crop in the image, each height x width."""
    columns, rows = np.arange(crop[1], dtype=F), np.arange(crop[0], dtype=F)[:, None]
    a, b = transformation[:2]
    return columns * a[0] + rows * a[1] + a[2], columns * b[0] + rows * b[1] + b[2]


def sampled_at(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The image, C x H W, bilinear at places inside; those beyond take its border, 0.05 pixels before its end."""
    low, part = zip(
        *(_between(at, size) for at, size in ((x, image.shape[2]), (y, image.shape[1]))), strict=True
    )
    (left, top), (right_part, down_part) = low, part
    right, down = (np.minimum(at + 1, size - 1) for at, size in zip(low, image.shape[:0:-1], strict=True))
    return (
        (1 - right_part) * (1 - down_part) * image[:, top, left]
        + right_part * down_part * image[:, down, right]
        + (1 - right_part) * down_part * image[:, down, left]
        + right_part * (1 - down_part) * image[:, top, right]
    )


def _between(at: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixel before each place, and how far behind it that is; a place that is NaN is the last pixel."""
    inside = np.fmax(np.fmin(at, F(size) - BORDER), F(0))
    low = np.floor(inside)
    return low.astype(np.int64), inside - low
