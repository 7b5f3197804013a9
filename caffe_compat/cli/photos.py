"""What commands share that feed photos to nets of one image: --mean, --scale and --swap, in use and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from caffe_compat.errors import DataError

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.single_shot import SingleShotDetector


def read_mean(text: str) -> np.ndarray:
    """The mean that --mean gives: numbers (float32, one axis), or the array of a .npy or .binaryproto file.

    Raises DataError for a file that cannot be read, and for what is neither.
    """
    from caffe_compat.tools.image_mean import read_mean as read_file

    words = text.split(",")
    try:
        return np.array([float(word) for word in words], np.float32)
    except ValueError:
        if len(words) > 1:
            raise DataError(
                f"--mean is '{text}'; expected one number, numbers with commas, or a file"
            ) from None
    return read_file(text)


def told(detector: SingleShotDetector, whose: str) -> str:
    """How an SSD or YOLO net gets its photos, in a line."""
    used = detector.preprocessing
    width, height = detector.resizing.param.width, detector.resizing.param.height
    parts = [f"{'letterboxed' if used.letterbox else 'stretched'} to {width} x {height}"]
    if detector.channels == 3:
        parts.append(channels(used.swap))
    parts.append(f"minus {mean_told(used.mean)}, times {used.scale:.6g}")
    return f"photos: {', '.join(parts)}, {whose} (see --mean, --scale, --swap, --letterbox)"


def channels(swap: Sequence[int]) -> str:
    """The order of an input's channels, in words."""
    return " ".join(("red", "green", "blue")[i] for i in swap)


def mean_told(mean: np.ndarray) -> str:
    """A mean in words."""
    if mean.ndim == 1:
        return " ".join(f"{value:g}" for value in mean)
    return f"a mean image of {mean.shape[-1]} x {mean.shape[-2]}"
