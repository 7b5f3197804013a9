"""What OpenPose's training knows of the joints in each of its databases, and of those that its nets predict.

Source: poseModel.cpp of CMU-Perceptual-Computing-Lab/openpose_caffe_train; Cao et al., OpenPose (2019), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from caffe_compat.layers.pose.skeletons import SKELETONS, exchange


@dataclass(frozen=True)
class PartModel:
    """joints: for each joint of the net those of the database in whose middle it lies, none where it has none; known:
    joints of the database; limbs: the two joints of each; right, left: joints that a mirror exchanges; hidden: joints
    that not everybody has in the database, which do not count but about people; beside: joints that do not count near
    people; all count from 0. counts_from: the first pixel's number; has_background: whether a last map is of no joint;
    legs: knees and ankles by which feet lie, of which nothing is known, so that they do not count as background;
    hides_missing: whether a joint outside the image, or not given, does not count about who lacks it."""

    joints: tuple[tuple[int, ...], ...]
    known: int
    limbs: np.ndarray
    right: tuple[int, ...]
    left: tuple[int, ...]
    hidden: tuple[int, ...] = ()
    beside: tuple[int, ...] = ()
    counts_from: int = 1
    has_background: bool = True
    legs: tuple[tuple[int, int], ...] = ()
    hides_missing: bool = False

    @property
    def channels(self) -> int:
        """Maps: two for each limb, one for each joint, and the background."""
        return 2 * len(self.limbs) + len(self.joints) + self.has_background

    @property
    def hides_unknown(self) -> bool:
        """Whether what the database has not does not count anywhere: not in nets that have no more joints than it."""
        return len(self.joints) > self.known

    def mirror(self, joints: np.ndarray, states: np.ndarray) -> None:
        """Exchange right and left, in place."""
        exchange((joints, states), self.right, self.left)

    def channels_of(self, joints: list[int]) -> list[int]:
        """The maps of joints, and of limbs that end in one of them."""
        limbs = np.flatnonzero(np.isin(self.limbs, joints).any(axis=1))
        return [*(2 * limbs), *(2 * limbs + 1), *(2 * len(self.limbs) + joint for joint in joints)]


def _joints(text: str) -> tuple[tuple[int, ...], ...]:
    """`5+6` is the middle of two, `.` is none."""
    return tuple(() if word == "." else tuple(map(int, word.split("+"))) for word in text.split())


def _limbs(text: str) -> np.ndarray:
    return np.array([[int(joint) for joint in limb.split("-")] for limb in text.split()])


_BODY = "0 5+6 6 8 10 5 7 9 11+12 12 14 16 11 13 15 2 1 4 3"
_BODY_LIMBS = (
    "1-8 9-10 10-11 8-9 8-12 12-13 13-14 1-2 2-3 3-4 2-17 1-5 5-6 6-7 5-18 1-0 0-15 0-16 15-17 16-18"
)
_FEET_LIMBS = "14-19 19-20 14-21 11-22 22-23 11-24"
_WIDE_LIMBS = "1-8 1-2 2-3 3-4 1-5 5-6 6-7 8-9 9-10 10-11 8-12 12-13 13-14 1-0 0-15 15-17 0-16 16-18"
_MORE_LIMBS = "2-17 5-18 2-9 5-12 2-4 5-7 9-11 12-14 4-7 11-14 4-9 7-12"  # beside the skeleton
_RIGHT, _LEFT = (2, 3, 4, 9, 10, 11, 15, 17), (5, 6, 7, 12, 13, 14, 16, 18)
_body_19 = partial(PartModel, _joints(_BODY), 17, right=_RIGHT, left=_LEFT)
_body_25 = partial(
    PartModel,
    limbs=_limbs(f"{_BODY_LIMBS} {_FEET_LIMBS}"),
    right=(*_RIGHT, 22, 23, 24),
    left=(*_LEFT, 19, 20, 21),
)
_body_25e = partial(_body_25, limbs=_limbs(f"{_WIDE_LIMBS} {_FEET_LIMBS} {_MORE_LIMBS} 11-23 14-20"))
_body_23 = partial(
    PartModel,
    limbs=_limbs(
        "0-1 1-2 2-3 0-4 4-5 5-6 7-8 8-9 10-11 11-12 0-13 13-15 0-14 14-16 12-17 17-18 12-19 9-20 20-21 9-22 1-7 4-10 "
        "1-15 4-16 15-16 7-10 1-3 4-6 7-9 10-12 3-6 9-12 3-7 6-10 9-21 12-18"
    ),
    right=(1, 2, 3, 7, 8, 9, 13, 15, 20, 21, 22),
    left=(4, 5, 6, 10, 11, 12, 14, 16, 17, 18, 19),
)
_body_25b = partial(
    PartModel,
    limbs=_limbs(
        "0-1 0-2 1-3 2-4 0-5 0-6 5-7 6-8 7-9 8-10 5-11 6-12 11-13 12-14 13-15 14-16 15-19 19-20 15-21 16-22 22-23 "
        "16-24 5-17 5-18 6-17 6-18 3-4 3-5 4-6 5-9 6-10 9-10 9-11 10-12 11-12 15-16"
    ),
    right=(2, 4, 6, 8, 10, 12, 14, 16, 22, 23, 24),
    left=(1, 3, 5, 7, 9, 11, 13, 15, 19, 20, 21),
    has_background=False,
)
_COCO = " ".join(map(str, range(17)))
_BODY_23 = "0 6 8 10 5 7 9 12 14 16 11 13 15 2 1 4 3"
_TOES, _NO_TOES = "17 18 19 20 21 22", ". . . . . ."
_FEET = tuple(range(19, 25))
_BODY_OF_25 = (0, 2, 3, 4, 5, 6, 7, 9, 10, 12, 13, 15, 16, 17, 18)  # without its middles and ankles
_LEGS = ((10, 11), (13, 14))

MODELS = {
    "COCO_18": PartModel(
        _joints("0 5+6 6 8 10 5 7 9 12 14 16 11 13 15 2 1 4 3"),
        17,
        SKELETONS[56].limbs,
        SKELETONS[56].right,
        SKELETONS[56].left,
    ),
    "COCO_19": _body_19(limbs=_limbs(_BODY_LIMBS)),
    "COCO_19b": _body_19(limbs=_limbs(f"{_BODY_LIMBS} 2-9 5-12")),
    "COCO_19E": _body_19(limbs=_limbs(f"{_WIDE_LIMBS} {_MORE_LIMBS}")),
    "COCO_19_V2": _body_19(limbs=np.array([[1, joint] for joint in range(19) if joint != 1])),
    "COCO_23": _body_23(_joints(f"{_BODY_23} {_TOES}"), 23),
    "COCO_23_17": _body_23(
        _joints(f"{_BODY_23} {_NO_TOES}"), 17, hidden=tuple(range(17, 23)), legs=((8, 9), (11, 12))
    ),
    "COCO_25": _body_25(_joints(f"{_BODY} {_TOES}"), 23, hidden=_BODY_OF_25),
    "COCO_25_17": _body_25(_joints(f"{_BODY} {_NO_TOES}"), 17, hidden=_FEET, legs=_LEGS),
    "COCO_25E": _body_25e(_joints(f"{_BODY} {_TOES}"), 23, hidden=_BODY_OF_25),
    "COCO_25_17E": _body_25e(_joints(f"{_BODY} {_NO_TOES}"), 17, hidden=_FEET, legs=_LEGS),
    "COCO_25B_23": _body_25b(_joints(f"{_COCO} . . 17 18 19 20 21 22"), 23, beside=(17, 18)),
    "COCO_25B_17": _body_25b(_joints(f"{_COCO} . . . . . . . ."), 17, hidden=_FEET, beside=(17, 18)),
    "MPII_25B_16": _body_25b(
        _joints(". . . . . 13 12 . . . . . . . . . . 8 9 . . . . . ."),
        16,
        hidden=(0, 1, 2, 3, 4, *range(7, 17), *_FEET),
        counts_from=0,
    ),
    "PT_25B_15": _body_25b(
        _joints("13 . . . . 9 8 10 7 11 6 3 2 4 1 5 0 12 14 . . . . . ."),
        15,
        hidden=(1, 2, 3, 4, *_FEET),
        counts_from=0,
    ),
    "CAR_22": PartModel(
        _joints(" ".join(map(str, range(22)))),
        22,
        _limbs(
            "0-1 1-3 3-2 2-0 6-7 7-16 16-17 17-6 12-13 13-14 14-15 15-12 6-8 7-8 6-9 7-9 6-4 7-5 12-11 13-10 16-18 "
            "17-18 16-19 17-19 0-7 3-17 6-12 16-14 6-21 7-20 3-21 20-14"
        ),
        right=(2, 3, 4, 6, 11, 12, 15, 17, 21),
        left=(0, 1, 5, 7, 10, 13, 14, 16, 20),
        counts_from=0,
        hides_missing=True,
    ),
}
