"""The labels of OpenPose's nets: what counts of each map, and the maps.

Source: oPDataTransformer.cpp of CMU-Perceptual-Computing-Lab/openpose_caffe_train; Cao et al., OpenPose (2019),
sections 3.2 and 3.3.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.pose.crowd import HALF, LAST_KNOWN, MISSING, NOT_THERE
from caffe_compat.layers.pose.part_maps import along, background, bell
from caffe_compat.layers.pose.part_models import PartModel

F = np.float32
MARGIN, WIDE_MARGIN = F(0.3), F(1)  # about people, in their sizes
CERTAIN = 0.85  # of the background: where it is less, something is known to be there
FOOT = F(0.8)  # half a side of what hides a foot, in lengths of the shank
BEYOND = F(0.15)  # how far its middle lies behind the ankle, in the same


def write_labels(
    maps: np.ndarray, counts: np.ndarray, joints: np.ndarray, states: np.ndarray, model: PartModel, stride: int,
    sigma: float,
) -> None:  # fmt: skip
    """Write what counts, and the maps, of everybody.

    maps: 2 channels x height x width; counts: height x width, what counts of the image, 0 to 1; joints: people x joints
    x 2, x and y in the image, and states: people x joints, see crowd.py, both of at least one person.
    """
    masks, values = np.split(maps, [model.channels])
    masks[:], values[:] = counts, 0
    limbs = 2 * len(model.limbs)
    cells, scaled = (
        joints / F(stride),
        joints * (F(1) / F(stride)),
    )  # not the same where F(1) / 7 is rounded up
    _hide(masks, cells, scaled, states, model)
    _draw_joints(masks[limbs:], values[limbs:], joints, states, stride, sigma)
    near = model.channels_of([*model.beside, *np.flatnonzero(states[0] == NOT_THERE)]) if model.beside else []
    for places in _seen(cells, states):
        rows, columns = _about(places, WIDE_MARGIN, counts.shape)
        masks[near, rows, columns] = 0
    _draw_limbs(masks[:limbs], values[:limbs], scaled, states, model.limbs)
    if model.has_background:
        values[-1] = background(values[limbs:-1])
        masks[-1][values[-1] < CERTAIN] = 1


def write_empty(maps: np.ndarray, model: PartModel) -> None:
    """The labels of an image of nobody."""
    masks, values = np.split(maps, [model.channels])
    masks[:], values[:] = 1, 0
    if model.has_background:
        values[-1] = 1


def _hide(
    masks: np.ndarray, cells: np.ndarray, scaled: np.ndarray, states: np.ndarray, model: PartModel
) -> None:
    """What is not known does not count: joints that the database has not, and people whose joints are missing.

    cells, scaled: the joints' places over the stride, and times its reciprocal, as feet and limbs have them.
    """
    if model.hides_unknown:
        masks[model.channels_of([*model.hidden, *np.flatnonzero(states[0] == NOT_THERE)])] = 0
    for person, own in zip(scaled, states, strict=True):
        for knee, ankle in model.legs:
            if own[knee] != MISSING and own[ankle] != MISSING:
                masks[-1][_foot(person[knee], person[ankle], masks.shape[1:])] = 0
    for person, own in zip(cells, states, strict=True):
        unknown = model.channels_of(list(np.flatnonzero(own >= (MISSING if model.hides_missing else HALF))))
        if unknown and (own <= LAST_KNOWN).any():
            rows, columns = _about(person[own <= LAST_KNOWN], MARGIN, masks.shape[1:])
            masks[[*unknown, -1] if model.has_background else unknown, rows, columns] = 0


def _seen(joints: np.ndarray, states: np.ndarray) -> list[np.ndarray]:
    """The places of the known joints of each person who has some."""
    return [
        person[own <= LAST_KNOWN]
        for person, own in zip(joints, states, strict=True)
        if own.min() <= LAST_KNOWN
    ]


def _about(places: np.ndarray, margin: np.float32, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the cells about places (x, y, in cells) with a margin; a narrow person gets as wide as half
    its height."""
    low, high = places.min(axis=0), places.max(axis=0)
    sides = high - low
    sides = np.maximum(sides, sides[::-1] / F(2))
    corner = (high + low) / F(2) - sides / F(2) - margin * sides
    return _cells(_rounded(corner), _rounded(sides * (1 + 2 * margin)), shape)


def _foot(knee: np.ndarray, ankle: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice]:
    shank = ankle - knee
    side = _rounded(FOOT * np.sqrt(shank[:1] ** 2 + shank[1:] ** 2))
    return _cells(_rounded(ankle + np.rint(shank * BEYOND)) - side, np.repeat(2 * side, 2), shape)


def _rounded(numbers: np.ndarray) -> np.ndarray:
    return np.array([c_round(np.float64(number)) for number in numbers]).astype(np.int64)


def _cells(corner: np.ndarray, sides: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of a box (x, y) as far as it lies inside."""
    begin = np.maximum(corner, 0)
    end = np.maximum(np.minimum(corner + sides, shape[::-1]), begin)
    return slice(int(begin[1]), int(end[1])), slice(int(begin[0]), int(end[0]))


def _draw_joints(
    masks: np.ndarray, maps: np.ndarray, joints: np.ndarray, states: np.ndarray, stride: int, sigma: float
) -> None:
    """The highest bell of all people counts, and each of them."""
    for person, own in zip(joints, states, strict=True):
        for k in np.flatnonzero(own <= LAST_KNOWN):
            heat = bell(person[k], maps.shape[1:], stride, sigma)
            np.maximum(maps[k], heat, out=maps[k])
            masks[k][heat > 0] = 1


def _draw_limbs(
    masks: np.ndarray, maps: np.ndarray, joints: np.ndarray, states: np.ndarray, limbs: np.ndarray
) -> None:
    """Where limbs of several people are near, their mean is written."""
    for limb, pair in enumerate(limbs):
        count, field = np.zeros(maps.shape[1:], F), maps[2 * limb : 2 * limb + 2]
        for person, own in zip(joints, states, strict=True):
            if (own[pair] <= LAST_KNOWN).all():
                way, near = along(person[pair[0]], person[pair[1]], maps.shape[1:])
                field[:, near] = (field[:, near] * count[near] + way[:, None]) / (count[near] + 1)
                count[near] += 1
        masks[2 * limb : 2 * limb + 2, count > 0] = 1
