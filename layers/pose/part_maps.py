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
    start = stride / 2 - 0.5
    y, x = (np.arange(side, dtype=F) * F(stride) + F(start) for side in maps.shape[1:])
    for heat, places, seen in zip(maps, joints.swapaxes(0, 1), visible.T < CUT, strict=True):
        for place in places[seen]:
            far = (x - place[0]) ** 2 + ((y - place[1]) ** 2)[:, None]
            exponent = np.minimum(far.astype(np.float64) / 2 / sigma / sigma, 99).astype(F)
            np.minimum(heat + np.where(exponent > FARTHEST, 0, np.exp(-exponent)), 1, out=heat)


def draw_limbs(joints: np.ndarray, visible: np.ndarray, limbs: np.ndarray, maps: np.ndarray) -> None:
    """Write the direction of each limb along it, x and y: 2 limbs x height x width. The last of everybody's stays."""
    for limb, (one, other) in enumerate(limbs):
        for places, seen in zip(joints, visible < CUT, strict=True):
            if seen[one] and seen[other]:
                _draw_limb(places[one] * CELL, places[other] * CELL, maps[2 * limb : 2 * limb + 2])


def _draw_limb(begin: np.ndarray, end: np.ndarray, maps: np.ndarray) -> None:
    way = end - begin
    length = np.sqrt(way[0] * way[0] + way[1] * way[1])
    if not length > 0:  # joints at one place have no direction
        return
    way /= length
    height, width = maps.shape[1:]
    (left, above), (right, below) = (
        [_cell(at, side) for at, side in zip(corner, (width, height), strict=True)]
        for corner in (np.minimum(begin, end) - REACH, np.maximum(begin, end) + REACH)
    )
    x, y = np.arange(left, right, dtype=F) - begin[0], np.arange(above, below, dtype=F) - begin[1]
    near = np.abs(x * way[1] - y[:, None] * way[0]) <= REACH
    maps[:, above:below, left:right][:, near] = way[:, None]


def _cell(at: np.float32, side: int) -> int:
    """The cell that a place is rounded to, of 0 to `side`, which is behind the last."""
    return int(c_round(np.float64(np.clip(at, 0, side))))


def background(maps: np.ndarray) -> np.ndarray:
    """1 where there is no joint."""
    return np.maximum(1 - np.maximum(maps.max(axis=0), 0), 0)
