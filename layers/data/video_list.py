"""The lists of videos that the layers of videos read: a path, a whole number, and labels."""

from __future__ import annotations

from typing import NamedTuple

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.list_file import read_lines


class Video(NamedTuple):
    """number: of frames, or of the first frame, 0 where the list has none. place: file:line of the list."""

    path: str
    number: int
    labels: list[int]
    place: str


def read_videos(owner: ErrorFactory, source: str, with_number: bool = True) -> list[Video]:
    """Each line: a path, a whole number where `with_number`, and a label, or several with commas between them.

    Raises owner's error that names the file and the line.
    """
    return [
        _video(owner, line, place, with_number) for line, place in read_lines(owner, source, "list of videos")
    ]


def _video(owner: ErrorFactory, line: str, place: str, with_number: bool) -> Video:
    path, *numbers = line.strip().rsplit(maxsplit=1 + with_number) or [""]
    try:
        number, labels = numbers if with_number else ["0", *numbers]
        return Video(path, int(number), [int(label) for label in labels.split(",")], place)
    except ValueError:
        expected = "a path, a whole number and a label" if with_number else "a path and a label"
        raise owner.error(f"{place}: expected {expected}, found '{line}'") from None
