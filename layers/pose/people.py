"""People in an image, as the databases of pose machines have them: as bytes in a channel of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.pose.skeletons import CUT, UNLABELED

F = np.float32
ROWS, ROWS_OF_OTHER = 9, 4  # of one person, and more of each other one
FARTHEST = 2**24  # pixels
COUNT = 2, 1  # row, and byte in it, of the number of other people


@dataclass
class People:
    """The one in the middle first. middle: its place (x, y); scale: its size, over target pixels; joints: people x
    joints x 2, x and y; visible: people x joints, see skeletons.py. Places count from 0, float32."""

    middle: np.ndarray
    scale: np.float32
    joints: np.ndarray
    visible: np.ndarray


def read_people(owner: ErrorFactory, channel: np.ndarray, count: int, name: str) -> People:
    """channel: height x width bytes; count: joints of each person. Raises owner's error where they are no people.

    A row each: a name; the image's height and width; whether it is for validation, how many others there are, and
    counters; the middle; the scale; x, y and states of the joints; then middles, scales, and joints of the others.
    Places count from 1, numbers are float32. Source: genLMDB.py of ZheC/Realtime_Multi-Person_Pose_Estimation.
    """
    height, width = channel.shape
    if 4 * max(count, 4) > width or height < ROWS:
        raise owner.error(
            f"{name}: {ROWS} rows of {count} joints do not fit into a channel of {height} x {width} bytes"
        )
    others = int(channel[COUNT].view(np.int8))
    if others < 0 or ROWS + ROWS_OF_OTHER * others > height:
        raise owner.error(f"{name}: {others} other people do not fit into {height} rows")

    def row(number: int, numbers: int) -> np.ndarray:
        return channel[number, : 4 * numbers].copy().view("<f4").astype(F)

    size, scale = row(1, 2), row(4, 1)[0]
    firsts = [5, *(ROWS + others + 3 * p for p in range(others))]
    given = np.array([row(first + 2, count) for first in firsts])
    places = np.array([[row(first, count), row(first + 1, count)] for first in firsts]).transpose(0, 2, 1)
    if not all((np.abs(each) < FARTHEST).all() for each in (size, row(3, 2), scale, places)) or scale <= 0:
        raise owner.error(f"{name}: its people have places that no image has, or no size")
    middle, joints = row(3, 2) - F(1), places - F(1)
    outside = (joints < 0).any(axis=2) | (joints >= np.trunc(size[::-1])).any(axis=2)
    visible = np.where(outside, CUT, given != 0)
    visible[0, given[0] == UNLABELED] = UNLABELED
    return People(middle, scale, joints, visible)
