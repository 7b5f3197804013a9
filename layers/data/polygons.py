"""The quadrilaterals of TextBoxes++, as AnnotatedData moves them with their image.

Polygons are K x 8, float32: x and y of the corners top left, top right, bottom right and bottom left of a text, in
parts of the image.
Source: ProjectBBoxPolygon, ClipPolygon and first_point of TextBoxes++' Caffe; Liao et al., TextBoxes++ (2018).
"""

from __future__ import annotations

import numpy as np

AROUND = [0, 1, 2, 1, 2, 3, 0, 3]  # of a box x1 y1 x2 y2: the numbers of its four corners


def projected(polygons: np.ndarray, window: np.ndarray) -> np.ndarray:
    """In parts of a window (x1 y1 x2 y2), as rectangles that are turned.

    A rectangle has the polygon's middle and mean direction; what of its length lies outside of the window is cut off,
    if the middle is inside.
    """
    moved = (polygons - np.tile(window[:2], 4)) / np.tile(window[2:] - window[:2], 4)
    tl, tr, br, bl = (moved[:, i : i + 2] for i in range(0, 8, 2))
    middle = moved.reshape(-1, 4, 2).mean(axis=1)
    width = (_length(tr - tl) + _length(br - bl)) / 2
    height = _distance(middle, tl, tr) + _distance(middle, bl, br)
    angle = (_angle(tr - tl) + _angle(br - bl)) / 2
    along = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    after, before = (np.minimum(width / 2, _reach(middle, sign * along)) for sign in (1, -1))
    middle = middle + along * ((after - before) / 2)[:, None]
    half, down = along * ((after + before) / 2)[:, None], along[:, ::-1] * (-1, 1) * (height / 2)[:, None]
    found = [middle - half - down, middle + half - down, middle + half + down, middle - half + down]
    return np.hstack(found).astype(np.float32)


def begun_top_left(polygons: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each polygon begun at the corner with which its four are nearest to those of the box around it, in pixels."""
    corners = polygons.reshape(-1, 4, 2)
    pixels = corners * np.array([width, height], np.float32)
    around = np.hstack([pixels.min(axis=1), pixels.max(axis=1)])[:, AROUND].reshape(-1, 4, 2)
    turns = [np.roll(pixels, -i, axis=1) for i in range(4)]
    far = np.stack([_length(turn - around).sum(axis=1) for turn in turns], axis=1)
    order = (np.arange(4) + far.argmin(axis=1)[:, None]) % 4
    return np.take_along_axis(corners, order[..., None], axis=1).reshape(-1, 8)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(vectors).sum(axis=-1))


def _angle(vectors: np.ndarray) -> np.ndarray:
    return np.arctan2(vectors[:, 1], vectors[:, 0])


def _distance(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Of points from the lines through two others."""
    (dx, dy), (px, py) = (end - start).T, (points - start).T
    return np.abs(px * dy - py * dx) / (_length(end - start) + np.float32(1e-6))


def _reach(points: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """How far it is from points within 0 to 1 to the border; infinite from points outside."""
    with np.errstate(divide="ignore", invalid="ignore"):
        sides = np.hstack([(0 - points) / direction, (1 - points) / direction])
    reach = np.where(sides >= 0, sides, np.inf).min(axis=1, initial=np.inf)
    return np.where(((points >= 0) & (points <= 1)).all(axis=1), reach, np.inf)
