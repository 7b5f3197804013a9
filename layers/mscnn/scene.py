"""An image with boxes, which go with it where it is mirrored, resized, cut and placed."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.data.image_size import MOST_ALONG
from caffe_compat.layers.mscnn.rounding import whole

MOST_ZOOM = 1.5  # from which on the image is cut before it is made larger
AROUND = 1.2  # of what is needed then


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    if max(width, height) > MOST_ALONG:
        raise CaffeCompatError(
            f"an image would be resized to {height} x {width}; {MOST_ALONG} is the most: check resize_width, "
            "resize_height, resize_ratio and the scales"
        )
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


class Scene:
    """image: height x width x 3, uint8. boxes, regions: x1 y1 x2 y2 in its pixels, float32. All change.

    Source: load_batch of DetectionDataLayer of zhaoweicai/cascade-rcnn, and of ImageGtDataLayer of zhaoweicai/mscnn.
    """

    def __init__(self, image: np.ndarray, boxes: np.ndarray, regions: np.ndarray):
        self.image, self.boxes, self.regions = image, boxes.copy(), regions.copy()
        self.centre = np.zeros(2, np.float32)  # x and y of what is to be seen

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]

    def mirror(self) -> None:
        self.image = np.ascontiguousarray(self.image[:, ::-1])
        for boxes in (self.boxes, self.regions):
            boxes[:, [0, 2]] = np.float32(self.size[0]) - boxes[:, [2, 0]]

    def resize(self, width: int, height: int) -> None:
        if (width, height) != self.size:
            factors = [
                np.float32(new) / np.float32(old) for new, old in zip((width, height), self.size, strict=True)
            ]
            self.image = _resized(self.image, width, height)
            self._move(factors, (0, 0))

    def zoom(self, factors: np.ndarray) -> None:
        """Make it larger or smaller by the factors of width and height; only what is around the centre, where large."""
        if (factors != 1).any():
            if (factors > MOST_ZOOM).any():
                self._cut(factors)
            width, height = (
                max(whole(side * factor), 1) for side, factor in zip(self.size, factors, strict=True)
            )
            self.image = _resized(self.image, width, height)
        self._move(factors, (0, 0))
        self.centre = np.array([whole(value) for value in self.centre * factors], np.float32)

    def place(
        self, out: np.ndarray, noise: tuple[int, int], mean: np.ndarray, scale: np.float32
    ) -> tuple[int, ...]:
        """Write it (less the mean, times scale) to `out`, 3 x height x width, around its centre; 0 is around it.

        noise: by how many pixels it is moved then. Returns x, y, width and height of the part of `out` that has it.
        """
        height, width = out.shape[1:]
        at = [
            _fit(*axis) for axis in zip(self.size, (width, height), self.centre.tolist(), noise, strict=True)
        ]
        (x, left, columns), (y, upper, rows) = at
        pixels = self.image[upper : upper + rows, left : left + columns].transpose(2, 0, 1).astype(out.dtype)
        out[...] = 0
        out[:, y : y + rows, x : x + columns] = (pixels - mean) * scale
        self._move((1, 1), (x - left, y - upper))
        return x, y, columns, rows

    def _cut(self, factors: np.ndarray) -> None:
        start, size = [], []
        for side, factor, middle in zip(self.size, factors, self.centre, strict=True):
            length = min(max(whole(AROUND * side / float(factor)), 1), side)
            first = max(whole(float(middle) - length * 0.5), 0)
            start.append(first - max(first + length - side, 0))
            size.append(length)
        self.image = self.image[start[1] : start[1] + size[1], start[0] : start[0] + size[0]]
        self.centre = self.centre - np.array(start, np.float32)
        self._move((1, 1), (-start[0], -start[1]))

    def _move(self, factors: object, shift: tuple[int, int]) -> None:
        for boxes in (self.boxes, self.regions):
            boxes *= np.tile(np.asarray(factors, np.float32), 2)
            boxes += np.tile(np.asarray(shift, np.float32), 2)


def _fit(size: int, room: int, middle: float, noise: int) -> tuple[int, int, int]:
    """Along one axis: where it begins in the room, which of its pixels that is, and how many there are."""
    if size < room:
        return min(max(whole((room - size) / 2) + noise, 0), room - size), 0, size
    if size > room:
        return 0, min(max(int(middle) + noise - whole(room / 2), 0), size - room), room
    return 0, 0, room
