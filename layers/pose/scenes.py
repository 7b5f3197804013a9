"""Images of people before another background, which are resized, turned, cropped and mirrored at once.

Source: dataAugmentation.cpp and oPDataTransformer.cpp of CMU-Perceptual-Computing-Lab/openpose_caffe_train.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.pose.crowd import LAST_KNOWN, Crowd

F = np.float32
COUNTS = 255  # of a mask
THOUSAND = 1001  # numbers from -500 to 500


@dataclass
class Scene:
    """image: height x width x 3, and mask: height x width, uint8."""

    image: np.ndarray
    mask: np.ndarray


def cut_out(image: np.ndarray, width: int, height: int, dice: Callable[[], np.float32]) -> np.ndarray:
    """A background as large as a crop, mirrored: what is larger is resized, and cut where it is too wide."""
    rows, columns = image.shape[:2]
    if columns <= width or rows <= height:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        return image[:, ::-1]
    across, down = F(width) / F(columns), F(height) / F(rows)
    if across > down:
        size = width, whole(across * F(rows))
    else:
        size = whole(down * F(columns)), height
    image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    left = 0
    if size[0] > width:
        left = whole(F(size[0] - width) * dice())
        dice()  # for the place down, where there is nothing to choose
    return image[:height, left : left + width][:, ::-1]


def whole(number: float) -> int:
    return int(c_round(np.float64(number)))


def put(
    scene: Scene, matrix: np.ndarray, width: int, height: int, behind: np.ndarray | None
) -> tuple[Scene, np.ndarray | None]:
    """The scene as a matrix of 2 x 3 puts it, and where the background is to be seen: height x width, uint8."""

    def warped(image: np.ndarray, outside: int) -> np.ndarray:
        return cv2.warpAffine(
            image, matrix, (width, height), None, cv2.INTER_CUBIC, cv2.BORDER_CONSTANT, (outside, 0, 0)
        )

    outside = None if behind is None else warped(np.zeros_like(scene.mask), COUNTS)
    return Scene(warped(scene.image, 0), warped(scene.mask, 0 if behind is None else COUNTS)), outside


def placed(
    turned: np.ndarray, factor: np.float32, middle: np.ndarray, width: int, height: int, mirrored: bool
) -> np.ndarray:
    """The matrix that resizes, turns, cuts out the crop about a place (x, y, whole numbers), and mirrors."""
    matrix = turned.copy()
    matrix[:, :2] *= float(factor)
    matrix[:, 2] -= middle - np.array([width // 2, height // 2])
    if mirrored:
        matrix[0] *= -1
        matrix[0, 2] += width - 1
    return matrix


def moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return (points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]).astype(F)


def cover(
    image: np.ndarray,
    behind: np.ndarray | None,
    crowd: Crowd,
    most: int,
    dice: Callable[[], np.float32],
    draw: Callable[[], int],
) -> None:
    """Put pieces of the background, none without one, over some known joints of a person who is alone, in place."""
    height, width = image.shape[:2]
    known = crowd.states[0] <= LAST_KNOWN
    count = whole(F(most) * dice() * F(known.sum()) / F(len(known)))

    if behind is None:
        return

    def spread() -> int:
        return draw() % THOUSAND - 500

    for _ in range(count):
        joint = draw() % len(known)
        while not known[joint]:
            joint = draw() % len(known)
        sides = [
            whole(float(F(side) * crowd.scale / F(2)) * (1 + spread() / 1000)) for side in (width, height)
        ]
        beside = 1 + spread() / 500
        left, top = (
            whole(float(at) - side // 2 * beside)
            for at, side in zip(crowd.joints[0, joint], sides, strict=True)
        )
        rows = slice(max(top, 0), max(top + sides[1], 0))
        columns = slice(max(left, 0), max(left + sides[0], 0))
        image[rows, columns] = behind[rows, columns]


def before(image: np.ndarray, behind: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The sum of an image and what is behind it, where that is to be seen."""
    return cv2.add(image, np.where(outside[:, :, None] > 0, behind, np.uint8(0)))


def recentred(crowd: Crowd, times: np.float32, chance: float, dice: Callable[[], np.float32]) -> np.ndarray:
    """The place (x, y) that a crop is about: with some chance, for an image that gets larger, another joint's."""
    if not dice() < F(chance) or not times > F(1.3):
        return crowd.middle
    which = float(dice())  # as precise as the shares are
    if not which > 0.5:
        return crowd.middle
    joints = (1,) if which < 0.90 else (4, 7) if which < 0.95 else (10, 13)
    known = [crowd.joints[0, joint] for joint in joints if crowd.states[0, joint] <= LAST_KNOWN]
    if not known:
        return crowd.middle
    return np.sum(known, axis=0, dtype=F) * F(1 / len(known))
