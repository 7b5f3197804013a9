"""resize_param of transform_param: what SSD's data layers make of an image's size, and of the boxes in it."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.data.weighted_die import roll
from caffe_compat.prototxt.caffe_pb2 import ResizeParameter as Param
from caffe_compat.rng import Rng

PADDING = {
    Param.CONSTANT: cv2.BORDER_CONSTANT,
    Param.MIRRORED: cv2.BORDER_REFLECT_101,
    Param.REPEAT_NEAREST: cv2.BORDER_REPLICATE,
}
INTERPOLATION = {
    Param.LINEAR: cv2.INTER_LINEAR,
    Param.AREA: cv2.INTER_AREA,
    Param.NEAREST: cv2.INTER_NEAREST,
    Param.CUBIC: cv2.INTER_CUBIC,
    Param.LANCZOS4: cv2.INTER_LANCZOS4,
}
MOST_PIXELS = 2**28


class Resizing:
    """One resize_param. WARP: to height x width. FIT_SMALL_SIZE: until both sides are at least that, in the image's
    own aspect. FIT_LARGE_SIZE_AND_PAD: into height x width in that aspect, with padding on both sides of it.

    Images are height x width x channels. One of interp_mode is drawn for each image. Raises owner's error.
    Source: ApplyResize, InferNewSize, UpdateBBoxByResizePolicy and ExtrapolateBBox of the SSD fork of Caffe.
    """

    def __init__(self, owner: ErrorFactory, param: Param):
        self.owner, self.param = owner, param
        if not (param.height and param.width):
            raise owner.error("resize_param needs a height and a width")
        self.whole = np.array([param.width, param.height], np.float32)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of an image of this size, when it is resized."""
        if self.param.resize_mode != Param.FIT_SMALL_SIZE:
            return self.param.height, self.param.width
        w, h = self._filled(height, width)
        return int(h), int(w)

    def image(self, image: np.ndarray, rng: Rng) -> np.ndarray:
        """The resized image; rng draws the interp_mode, where there are any."""
        height, width, channels = image.shape
        modes = list(self.param.interp_mode)
        mode = modes[roll(rng, [1 / len(modes)] * len(modes))] if modes else Param.LINEAR
        inner = tuple(max(1, int(side)) for side in self._filled(height, width))
        if inner[0] * inner[1] > MOST_PIXELS:
            raise self.owner.error(
                f"resize_param makes an image of {height} x {width} one of {inner[1]} x {inner[0]}"
            )
        resized = cv2.resize(image, inner, interpolation=INTERPOLATION[mode])
        if self.param.resize_mode == Param.FIT_LARGE_SIZE_AND_PAD:
            resized = self._pad(resized, channels)
        return resized.reshape(*resized.shape[:2], channels)

    def boxes(self, boxes: np.ndarray, height: int, width: int) -> np.ndarray:
        """Boxes (K x 4, in parts of an image of this size) in parts of the resized image."""
        filled = self._filled(height, width)
        whole = filled if self.param.resize_mode == Param.FIT_SMALL_SIZE else self.whole
        padding, old = (whole - filled) / 2, np.array([width, height], np.float32)
        low = padding + np.maximum(0, boxes[:, :2] * old * filled / old)
        high = padding + np.minimum(whole, boxes[:, 2:] * old * filled / old)
        return np.hstack([low, high]) / np.tile(whole, 2)

    def extrapolated(self, boxes: np.ndarray, height: int, width: int, crop: np.ndarray) -> np.ndarray:
        """Boxes in parts of a crop of the resized image, in parts of width_scale x height_scale, if those are given.

        crop: x1 y1 x2 y2 in parts of the resized image.
        """
        scale = np.array([self.param.width_scale, self.param.height_scale], np.float32)
        if self.param.resize_mode != Param.FIT_SMALL_SIZE or not scale.all():
            return boxes
        size = self._filled(height, width) * (crop[2:] - crop[:2])
        if (size < scale).any():
            raise self.owner.error(
                f"an image of {height} x {width} is cropped to less than height_scale and width_scale of resize_param"
            )
        return boxes * np.tile(size, 2) / np.tile(scale, 2)

    def _filled(self, height: int, width: int) -> np.ndarray:
        """Width and height of what the image itself fills when it is resized."""
        if self.param.resize_mode == Param.WARP:
            return self.whole
        aspect = np.float32(width) / np.float32(height)
        wide = aspect > self.whole[0] / self.whole[1]
        small = self.param.resize_mode == Param.FIT_SMALL_SIZE
        if aspect < self.whole[0] / self.whole[1] if small else wide:
            return np.array([self.whole[0], self.whole[0] / aspect], np.float32)
        return np.array([aspect * self.whole[1], self.whole[1]], np.float32)

    def _pad(self, image: np.ndarray, channels: int) -> np.ndarray:
        values = list(self.param.pad_value) or [0.0]
        if len(values) not in (1, channels):
            raise self.owner.error(
                f"resize_param has {len(values)} pad_value for {channels} channels; give one, or one a channel"
            )
        across, down = self.param.width - image.shape[1], self.param.height - image.shape[0]
        sides = down // 2, down - down // 2, across // 2, across - across // 2
        value = (values * channels)[:channels]
        return cv2.copyMakeBorder(image, *sides, PADDING[self.param.pad_mode], value=value)
