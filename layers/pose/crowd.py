"""People in an image, as the databases of OpenPose's training have them: as bytes in a channel of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.pose.part_models import PartModel
from caffe_compat.layers.pose.people import FARTHEST, ROWS, ROWS_OF_OTHER

F = np.float32
# states of joints: seen or hidden below, then outside the image or not given; in the middle of two of which one is so;
# and not in the database
LAST_KNOWN, MISSING, HALF, NOT_THERE = 1, 2, 3, 4
OLD_HEIGHT = F(368)  # of the images for which scales are meant


@dataclass
class Crowd:
    """The one in the middle first. middle: its place (x, y); scale: its size, over a crop's height; joints: people x
    joints of the net x 2, x and y; states: people x joints; name: of the image, for errors. Places count from 0,
    float32."""

    middle: np.ndarray
    scale: np.float32
    joints: np.ndarray
    states: np.ndarray
    name: str


def read_crowd(owner: ErrorFactory, channel: np.ndarray, model: PartModel, crop: int, name: str) -> Crowd:
    """channel: height x width bytes; crop: the height that images are cut to. Raises owner's error where they are no
    people, as OpenPose's Caffe leaves them out.

    A row each: a name; the image's height and width; how many others there are, and counters; the middle; the scale; x,
    y and states of the joints; then middles, scales, and joints of the others. Numbers are float32.
    Source: metaData.cpp of CMU-Perceptual-Computing-Lab/openpose_caffe_train.
    """
    height, width = channel.shape
    count = model.known
    if 4 * count > width or height < ROWS:
        raise owner.error(
            f"{name}: {ROWS} rows of {count} joints do not fit into a channel of {height} x {width} bytes"
        )
    others = int(channel[2].view(np.int8)[0])
    if others < 0 or ROWS + ROWS_OF_OTHER * others > height:
        raise owner.error(f"{name}: {others} other people do not fit into {height} rows")

    def row(number: int, numbers: int) -> np.ndarray:
        return channel[number, : 4 * numbers].copy().view("<f4").astype(F)

    firsts = [5, *(ROWS + others + 3 * p for p in range(others))]
    size, middle, scale = row(1, 2), row(3, 2), row(4, 1)[0]
    joints = np.array([[row(first, count), row(first + 1, count)] for first in firsts]).transpose(0, 2, 1)
    given = np.array([row(first + 2, count) for first in firsts])
    if not all((np.abs(each) < FARTHEST).all() for each in (size, middle, scale, joints)) or scale <= 0:
        raise owner.error(f"{name}: its people have places that no image has, or no size")
    if not (np.abs(given) <= NOT_THERE).all():
        raise owner.error(f"{name}: a joint's state is not from 0 to {NOT_THERE}; has it {count} joints?")
    joints, middle = joints - F(model.counts_from), middle - F(model.counts_from)
    outside = (joints < 0).any(axis=2) | (joints >= np.trunc(size[::-1])).any(axis=2)
    places, states = _of_net(joints, np.where(outside, MISSING, _rounded(given)), model)
    return Crowd(middle, scale * (OLD_HEIGHT / F(crop)), places, states, name)


def read_dataset(channel: np.ndarray) -> str:
    """What the people's database is called: all of one LMDB have one name."""
    return channel.tobytes().split(b"\0", 1)[0].decode(errors="replace")


def _rounded(given: np.ndarray) -> np.ndarray:
    return np.vectorize(c_round, otypes=[int])(given.astype(np.float64))


def _of_net(joints: np.ndarray, states: np.ndarray, model: PartModel) -> tuple[np.ndarray, np.ndarray]:
    """Places and states of the net's joints, from those of the database."""
    places = np.zeros((len(joints), len(model.joints), 2), F)
    own = np.full(places.shape[:2], NOT_THERE)
    for k, of in enumerate(model.joints):
        if of:
            places[:, k] = joints[:, of].sum(axis=1) * F(1 / len(of))
            own[:, k] = _together(states[:, of])
    return places, own


def _together(states: np.ndarray) -> np.ndarray:
    """The states of joints in the middle of others, whose states are people x others."""
    if states.shape[1] == 1:
        return np.where(np.isin(states[:, 0], (0, MISSING, NOT_THERE)), states[:, 0], LAST_KNOWN)
    missing = states == MISSING
    known = np.where((states == 0).any(axis=1), 0, LAST_KNOWN)
    known = np.where(missing.any(axis=1), np.where(missing.all(axis=1), MISSING, HALF), known)
    return np.where(((states > MISSING) | (states < 0)).any(axis=1), NOT_THERE, known)
