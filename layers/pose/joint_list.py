"""Lists of images with people's joints, as caffe-heatmap writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.list_file import read_lines


@dataclass(frozen=True)
class Person:
    """image: a file's name. joints: float32, one or more rows of x, y. place: where the list has it, file:line."""

    image: str
    joints: np.ndarray
    cluster: int
    place: str


def read_joints(owner: ErrorFactory, path: str, wanted: Sequence[int]) -> list[Person]:
    """The lines of a list: a name, x and y of each joint, how the image was cropped (not looked at), and its cluster.

    Words are parted by blanks, numbers by commas. wanted: which coordinates count, from 1; none: all. Raises owner's
    error where the list cannot be read, and for lines that do not fit.
    """
    people = [
        _person(owner, line.split(), wanted, place)
        for line, place in read_lines(owner, path, "list of joints")
        if line.strip()
    ]
    for person in people:
        if person.joints.shape != people[0].joints.shape:
            raise owner.error(
                f"{person.place}: there are {len(person.joints)} joints, and {len(people[0].joints)} in the first line"
            )
    return people


def _person(owner: ErrorFactory, words: list[str], wanted: Sequence[int], place: str) -> Person:
    if len(words) != 4:
        raise owner.error(
            f"{place}: expected a name, joints, the crop and a cluster, found {len(words)} words"
        )
    name, joints, _, cluster = words
    try:
        numbers = np.array([float(word) for word in joints.removesuffix(",").split(",")], np.float32)
        number = int(cluster)
    except ValueError as error:
        raise owner.error(f"{place}: expected numbers between commas: {error}") from error
    if wanted and (min(wanted) < 1 or max(wanted) > len(numbers)):
        raise owner.error(
            f"{place}: labelinds is {list(wanted)}, and there are the coordinates 1 to {len(numbers)}"
        )
    chosen = numbers[[i - 1 for i in sorted(set(wanted))]] if wanted else numbers
    if not len(chosen) or len(chosen) % 2 or not np.isfinite(chosen).all():
        raise owner.error(f"{place}: expected finite x and y of one or more joints, found {joints[:60]}")
    if number < 0:
        raise owner.error(f"{place}: the cluster is {number}; expected 0 or more")
    return Person(name, chosen.reshape(-1, 2), number, place)
