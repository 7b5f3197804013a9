"""Which joints people have in the databases of pose machines, which in the nets, and what is drawn of them.

Source: CMU-Perceptual-Computing-Lab/caffe_train; Cao et al., Realtime Multi-Person 2D Pose Estimation (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """pairs: for each of the net's joints the two of the database in whose middle it lies (one, where they are equal);
    limbs: the two joints of each; right, left: joints that a mirror exchanges; least: joints that a database has; all
    count from 0. keeps_unlabeled: whether a joint that nobody looked for stays one (see people.py)."""

    pairs: np.ndarray
    limbs: np.ndarray
    right: tuple[int, ...]
    left: tuple[int, ...]
    keeps_unlabeled: bool

    @property
    def least(self) -> int:
        return int(self.pairs.max()) + 1

    def of_net(self, joints: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places and states, people x joints (x 2), of the net's joints, from those of the database."""
        one, other = self.pairs
        states = visible[:, one], visible[:, other]
        seen = (states[0] > 0) & (states[1] > 0)
        if self.keeps_unlabeled:
            seen = np.where((states[0] == UNLABELED) | (states[1] == UNLABELED), UNLABELED, seen)
        cut = (states[0] == CUT) | (states[1] == CUT)
        places = (joints[:, one] + joints[:, other]) * np.float32(0.5)
        return places, np.where(cut, CUT, seen)

    def mirror(self, joints: np.ndarray, visible: np.ndarray) -> None:
        """Exchange right and left, in place."""
        exchange((joints, visible), self.right, self.left)


def exchange(arrays: tuple[np.ndarray, ...], right: tuple[int, ...], left: tuple[int, ...]) -> None:
    """Exchange joints, in place, in arrays of people x joints."""
    for each in arrays:
        each[:, [*right, *left]] = each[:, [*left, *right]]


CUT, UNLABELED = 2, 3  # states of joints: outside the image; not looked for. 0 and 1: hidden, seen
_COCO_LIMBS = "1-8 8-9 9-10 1-11 11-12 12-13 1-2 2-3 3-4 2-16 1-5 5-6 6-7 5-17 1-0 0-14 0-15 14-16 15-17"
_MPI_LIMBS = "0-1 1-2 2-3 3-4 1-5 5-6 6-7 1-14 14-8 8-9 9-10 14-11 11-12 12-13"


def _limbs(text: str) -> np.ndarray:
    return np.array([[int(joint) for joint in limb.split("-")] for limb in text.split()])


SKELETONS = {  # by num_parts: two maps for each limb, one for each joint
    56: Skeleton(
        np.array(
            [
                [0, 5, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3],
                [0, 6, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3],
            ]
        ),
        _limbs(_COCO_LIMBS),
        right=(2, 3, 4, 8, 9, 10, 14, 16),
        left=(5, 6, 7, 11, 12, 13, 15, 17),
        keeps_unlabeled=True,
    ),
    43: Skeleton(
        np.array(
            [
                [9, 8, 12, 11, 10, 13, 14, 15, 2, 1, 0, 3, 4, 5, 7],
                [9, 8, 12, 11, 10, 13, 14, 15, 2, 1, 0, 3, 4, 5, 6],
            ]
        ),
        _limbs(_MPI_LIMBS),
        right=(2, 3, 4, 8, 9, 10),
        left=(5, 6, 7, 11, 12, 13),
        keeps_unlabeled=False,
    ),
}
