"""To what size the layers bring an image that they have read."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.prototxt.caffe_pb2 import DenseImageDataParameter, ImageDataParameter

MOST_ALONG = 2**15 - 1  # of what OpenCV takes everywhere


def resized(
    owner: ErrorFactory,
    image: np.ndarray,
    param: ImageDataParameter | DenseImageDataParameter,
    how: int = cv2.INTER_LINEAR,
) -> np.ndarray:
    """The image (height x width x channels) at new_height x new_width, at new_dim along the shorter side, or at least
    min_height x min_width, where the message has these; else as it is. how: cv2's interpolation for new_height.

    Raises owner's error for sizes that are too large.
    """
    height, width = param.new_height, param.new_width
    if isinstance(param, ImageDataParameter) and param.new_dim:
        height, width = _short_side(image, param.new_dim)
        how = cv2.INTER_CUBIC if param.bicubic else cv2.INTER_LINEAR
    elif isinstance(param, ImageDataParameter) and not height and param.min_height:
        height, width = _at_least(image, param.min_height, param.min_width)
    if not height:
        return image
    return resize(owner, image, height, width, how)


def resize(owner: ErrorFactory, image: np.ndarray, height: int, width: int, how: int) -> np.ndarray:
    """cv2's resize, of height x width x channels. Raises owner's error for sizes that it does not take."""
    if not (0 < height <= MOST_ALONG and 0 < width <= MOST_ALONG):
        raise owner.error(
            f"an image cannot be resized to {height} x {width}; both must be from 1 to {MOST_ALONG}: check new_height, "
            "new_width, new_dim and scale_factors"
        )
    return cv2.resize(image, (width, height), interpolation=how).reshape(height, width, image.shape[2])


def _short_side(image: np.ndarray, size: int) -> tuple[int, int]:
    """Source: ReadImageToCVMat of yihui-he's Caffe."""
    height, width = image.shape[:2]
    scale = np.float32(size) / np.float32(min(height, width))
    if height >= width:
        return int(c_round(scale * np.float32(height))), size
    return size, int(c_round(scale * np.float32(width)))


def _at_least(image: np.ndarray, least_height: int, least_width: int) -> tuple[int, int]:
    """The size of an image that is too small, in its ratio, so that the side that lacks more is as long as it must be.

    Source: LisaAnne's Caffe.
    """
    height, width = image.shape[:2]
    if height >= least_height and width >= least_width:
        return height, width
    if least_width - width > least_height - height:
        return _in_ratio(least_width, height, width), least_width
    return least_height, _in_ratio(least_height, width, height)


def _in_ratio(side: int, one: int, other: int) -> int:
    """side * one / other, rounded, in the original's precision."""
    return int(float(np.float32(side) * (np.float32(one) / np.float32(other))) + 0.5)
