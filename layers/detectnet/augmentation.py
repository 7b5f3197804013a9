"""What DetectNet does to an image and its boxes: colours, flip, scale, rotation, crop.

Images are height x width x 3, float32, BGR; boxes n x 4, x y width height, float32.
Source: NVCaffe's DetectNetTransformationLayer, which uses OpenCV as this does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.prototxt.caffe_pb2 import DetectNetAugmentationParameter

LEAST = np.finfo(np.float32).eps
Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Augmentation:
    """One draw of what is done: nothing but a scale and a crop unless it says otherwise. rotation is in degrees."""

    scale: Size
    crop: tuple[int, int] = (0, 0)  # x, y of the crop's upper left corner
    hue: float = 0.0
    saturation: float = 1.0
    flip: bool = False
    rotation: float = 0.0

    def image(
        self, image: np.ndarray, size: Size, minus_mean: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """The image, of values from 0 to 255, less its mean, as large as `size`; 0 where it does not reach."""
        image = minus_mean(self._coloured(image * np.float32(1 / 255)))
        if self.flip:
            image = cv2.flip(image, 1)
        if image.shape[1::-1] != self.scale:
            image = cv2.resize(image, self.scale, interpolation=cv2.INTER_CUBIC)
        if abs(self.rotation) > LEAST:
            matrix, bounds = _rotation(image.shape[1::-1], self.rotation)
            canvas = np.zeros((*bounds[::-1], 3), np.float32)
            image = cv2.warpAffine(
                image, matrix, bounds, canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
            )
        return _crop(image, size, self.crop) * np.float32(255)

    def boxes(self, boxes: np.ndarray, size: Size) -> np.ndarray:
        """The boxes where that leaves them; size: of the image before."""
        corner, extent = boxes[:, :2].copy(), boxes[:, 2:]
        if self.flip:
            corner[:, 0] = size[0] - corner[:, 0] - extent[:, 0] - 1
        if size != self.scale:
            factor = np.array(self.scale, np.float32) / np.array(size, np.float32)
            corner, extent = corner * factor, extent * factor
        if abs(self.rotation) > LEAST:
            centre = corner + extent / 2
            matrix, _ = _rotation(self.scale, self.rotation)
            corner = centre @ matrix[:, :2].T + matrix[:, 2] - extent / 2
        return np.hstack([corner - np.array(self.crop, np.float32), extent]).astype(np.float32)

    def _coloured(self, image: np.ndarray) -> np.ndarray:
        desaturates = self.saturation < 1 - 1 / 255
        if abs(self.hue) <= LEAST and not desaturates:
            return image
        image = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        if abs(self.hue) > LEAST:
            image[..., 0] += np.float32(self.hue)
        if desaturates:
            image[..., 1] *= np.float32(self.saturation)
        return cv2.cvtColor(image, cv2.COLOR_HSV2BGR)


def draw(
    param: DetectNetAugmentationParameter, size: Size, wanted: Size, unit: Callable[[], np.float32]
) -> Augmentation:
    """Draw what is done to an image of this size in phase TRAIN; unit: the next number from 0 to 1."""
    hue, saturation, scale, rotation = 0.0, 1.0, size, 0.0
    if unit() <= param.hue_rotation_prob:
        hue = min(max((float(unit()) - 0.5) * 2 * param.hue_rotation, -180.0), 180.0)
    if unit() <= param.desaturation_prob:
        saturation = 1.0 - float(unit()) * param.desaturation_max
    flip = bool(unit() <= param.flip_prob)
    if unit() <= param.scale_prob:
        low, high = np.float32(param.scale_min), np.float32(param.scale_max)
        factor = low + (high - low) * unit()
        scale = _c_round(size[0] * factor), _c_round(size[1] * factor)
    if unit() <= param.rotation_prob:
        rotation = (float(unit()) - 0.5) * 2 * param.max_rotate_degree
    room = _rotated_size(scale, rotation) if abs(rotation) > LEAST else scale
    part, shift = (0.5, 0.5), (0, 0)
    if unit() <= param.crop_prob:
        part = float(unit()), float(unit())
        shift = param.shift_x, param.shift_y
    x, y = (_c_round(part[i] * (room[i] - wanted[i] + shift[i]) - shift[i] // 2) for i in range(2))
    return Augmentation(scale, (x, y), hue, saturation, flip, rotation)


def _c_round(x: float) -> int:
    return cut_off(np.copysign(np.floor(abs(x) + 0.5), x))


def _bounds(centre: tuple[float, float], size: Size, angle: float) -> tuple[int, int, int, int]:
    """x, y, width and height of the whole pixels around a rotated rectangle."""
    points = cv2.boxPoints((centre, size, angle))
    (x, y), (right, bottom) = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    return int(x), int(y), int(right - x + 1), int(bottom - y + 1)


def _rotated_size(size: Size, angle: float) -> Size:
    return _bounds((size[0] // 2, size[1] // 2), size, angle)[2:]


def _rotation(size: Size, angle: float) -> tuple[np.ndarray, Size]:
    """The 2 x 3 matrix that rotates an image of this size, and the size of what it becomes."""
    centre = size[0] / 2, size[1] / 2
    x, y, *_ = _bounds(centre, size, angle)
    before = cv2.boxPoints((centre, size, 0.0))
    after = cv2.boxPoints(((centre[0] - x, centre[1] - y), size, angle))
    matrix = cv2.getAffineTransform(before[:3], after[:3]).astype(np.float32)
    return matrix, _rotated_size(size, angle)


def _crop(image: np.ndarray, size: Size, corner: tuple[int, int]) -> np.ndarray:
    result = np.zeros((size[1], size[0], 3), np.float32)
    height, width = image.shape[:2]
    x0, y0 = max(corner[0], 0), max(corner[1], 0)
    x1, y1 = min(corner[0] + size[0], width), min(corner[1] + size[1], height)
    if x0 < x1 and y0 < y1:
        part = image[y0:y1, x0:x1]
        result[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]] = part
    return result
