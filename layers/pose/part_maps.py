"""Maps of where joints are, and which way limbs go: what pose machines predict.

Source: CPMDataTransformer of CMU-Perceptual-Computing-Lab/caffe_train; Cao et al., Realtime Multi-Person 2D Pose
Estimation using Part Affinity Fields (2017), sections 2.2 and 2.3.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.pose.skeletons import CUT

F = np.float32
FARTHEST = 4.6052  # -ln(1 %): half the square of the distance, in sigmas
REACH = F(1)  # cells of a map at most from the line between two joints
CELL = F(0.125)  # what a pixel is in cells, whatever the stride


def draw_joints(joints: np.ndarray, visible: np.ndarray, stride: int, sigma: float, maps: np.ndarray) -> None:
    """Add a bell about each joint of everybody, up to 1, to the map of that joint: joints x height x width."""
    for heat, places, seen in zip(maps, joints.swapaxes(0, 1), visible.T < CUT, strict=True):
        for place in places[seen]:
            np.minimum(heat + bell(place, heat.shape, stride, sigma), 1, out=heat)


def bell(place: np.ndarray, shape: tuple[int, ...], stride: int, sigma: float) -> np.ndarray:
    """Height x width, float32: 1 at a place (x, y) in the image, less around it, 0 where it would be under 1 %."""
    start = stride / 2 - 0.5
    y, x = (np.arange(side, dtype=F) * F(stride) + F(start) for side in shape)
    far = (x - place[0]) ** 2 + ((y - place[1]) ** 2)[:, None]
    exponent = np.minimum(far.astype(np.float64) / 2 / sigma / sigma, 99).astype(F)
    return np.where(exponent > FARTHEST, F(0), np.exp(-exponent))


def draw_limbs(joints: np.ndarray, visible: np.ndarray, limbs: np.ndarray, maps: np.ndarray) -> None:
    """Write the direction of each limb along it, x and y: 2 limbs x height x width. The last of everybody's stays."""
    for limb, (one, other) in enumerate(limbs):
        for places, seen in zip(joints, visible < CUT, strict=True):
            if seen[one] and seen[other]:
                way, near = along(places[one] * CELL, places[other] * CELL, maps.shape[1:])
                maps[2 * limb : 2 * limb + 2, near] = way[:, None]


def along(begin: np.ndarray, end: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The direction from one place (x, y, in cells) to another, and which cells are near the line: height x width."""
    way, near = end - begin, np.zeros(shape, bool)
    length = np.sqrt(way[0] * way[0] + way[1] * way[1])
    if not length > 0:  # joints at one place have no direction
        return way, near
    way = way / length
    height, width = shape
    (left, above), (right, below) = (
        [_cell(at, side) for at, side in zip(corner, (width, height), strict=True)]
        for corner in (np.minimum(begin, end) - REACH, np.maximum(begin, end) + REACH)
    )
    x, y = np.arange(left, right, dtype=F) - begin[0], np.arange(above, below, dtype=F) - begin[1]
    near[above:below, left:right] = np.abs(x * way[1] - y[:, None] * way[0]) <= REACH
    return way, near


def _cell(at: np.float32, side: int) -> int:
    """The cell that a place is rounded to, of 0 to `side`, which is behind the last."""
    return int(c_round(np.float64(np.clip(at, 0, side))))


def background(maps: np.ndarray) -> np.ndarray:
    """1 where there is no joint."""
    return np.maximum(1 - np.maximum(maps.max(axis=0), 0), 0)
