"""Frames of videos, from image files or from a video file, all of one size."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.data.image_files import read_image
from caffe_compat.layers.data.image_size import MOST_ALONG

Size = tuple[int, int]  # height and width; (0, 0): as they are


def new_size(owner: ErrorFactory, height: int, width: int) -> Size:
    """Of new_height and new_width. Raises owner's error where one of them is given alone, or is too large."""
    if bool(height) != bool(width):
        raise owner.error("new_height and new_width go together; give both or none")
    if max(height, width) > MOST_ALONG:
        raise owner.error(f"new_height and new_width are {height} and {width}; {MOST_ALONG} is the most")
    return height, width


def read_frames(owner: ErrorFactory, paths: Sequence[str], flag: int, size: Size, place: str) -> np.ndarray:
    """Images, frames x height x width x channels. flag: cv2.IMREAD_COLOR or IMREAD_GRAYSCALE.

    place: where they are named, for errors. Raises owner's error for a file that is no image, or of another size.
    """
    return _stacked(owner, [_resized(read_image(owner, path, flag, place), size) for path in paths], place)


def count_frames(owner: ErrorFactory, path: str, place: str) -> int:
    """How many frames a video file has. Raises owner's error where it cannot be read."""
    return int(_opened(owner, path, place).get(cv2.CAP_PROP_FRAME_COUNT))


def read_video(owner: ErrorFactory, path: str, indices: Sequence[int], size: Size, place: str) -> np.ndarray:
    """Frames of a video file, from 0, in ascending order: frames x height x width x 3 (BGR).

    Raises owner's error where the file cannot be read or has fewer.
    """
    video, frames, position = _opened(owner, path, place), [], 0
    for index in indices:
        while position < index and video.grab():  # a jump may miss, and stop at the next key frame
            position += 1
        found, frame = video.read()
        position += 1
        if not found:
            raise owner.error(f"{place}: '{path}' has no frame {index}")
        frames.append(_resized(frame, size))
    return _stacked(owner, frames, place)


def _opened(owner: ErrorFactory, path: str, place: str) -> cv2.VideoCapture:
    if not os.path.isfile(path):
        raise owner.error(f"{place}: there is no video file '{path}'")
    video = cv2.VideoCapture(path)
    if not video.isOpened():
        raise owner.error(f"{place}: '{path}' is no video that OpenCV can read")
    return video


def _resized(frame: np.ndarray, size: Size) -> np.ndarray:
    return cv2.resize(frame, size[::-1]).reshape(*size, frame.shape[2]) if any(size) else frame


def _stacked(owner: ErrorFactory, frames: list[np.ndarray], place: str) -> np.ndarray:
    for frame in frames:
        if frame.shape != frames[0].shape:
            raise owner.error(
                f"{place}: the frames have the sizes {frames[0].shape[:2]} and {frame.shape[:2]}; give new_height and "
                "new_width"
            )
    return np.stack(frames)
