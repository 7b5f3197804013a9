"""Images with a mask and points, which are resized, turned, cropped and mirrored together.

Source: the steps of CPMDataTransformer of CMU-Perceptual-Computing-Lab/caffe_train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

F = np.float32
GREY, COUNTS = 128, 255  # of what lies outside the image, and of its mask


@dataclass
class Picture:
    """image: height x width x 3, uint8; mask: height x width, uint8; points: n x 2, x and y, float32."""

    image: np.ndarray
    mask: np.ndarray
    points: np.ndarray

    def resized(self, factor: np.float32) -> Picture:
        image, mask = (
            cv2.resize(one, None, fx=float(factor), fy=float(factor), interpolation=cv2.INTER_CUBIC)
            for one in (self.image, self.mask)
        )
        return Picture(image, mask, self.points * factor)

    def turned(self, degree: np.float32) -> Picture:
        """Counter-clockwise about its middle; it gets as large as it then is."""
        matrix, whole = turn(self.mask.shape, degree)
        image, mask = (
            cv2.warpAffine(one, matrix, whole, None, cv2.INTER_CUBIC, cv2.BORDER_CONSTANT, outside)
            for one, outside in ((self.image, (GREY,) * 3), (self.mask, (COUNTS,)))
        )
        points = self.points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
        return Picture(image, mask, points.astype(F))

    def cropped(self, middle: np.ndarray, width: int, height: int) -> Picture:
        """The pixels about a place (x, y, whole numbers)."""
        left, top = (int(at) - side // 2 for at, side in zip(middle, (width, height), strict=True))
        image = np.full((height, width, 3), GREY, np.uint8)
        mask = np.full((height, width), COUNTS, np.uint8)
        rows = slice(max(top, 0), max(min(top + height, self.mask.shape[0]), 0))
        columns = slice(max(left, 0), max(min(left + width, self.mask.shape[1]), 0))
        for one, source in ((image, self.image), (mask, self.mask)):
            part = source[rows, columns]
            if part.size:
                y, x = rows.start - top, columns.start - left
                one[y : y + part.shape[0], x : x + part.shape[1]] = part
        return Picture(image, mask, self.points - np.array([left, top], F))

    def mirrored(self) -> Picture:
        points = self.points.copy()
        points[:, 0] = F(self.mask.shape[1] - 1) - points[:, 0]
        return Picture(self.image[:, ::-1], self.mask[:, ::-1], points)


def turn(shape: Sequence[int], degree: np.float32) -> tuple[np.ndarray, tuple[int, int]]:
    """The matrix, 2 x 3, that turns an image (height, width) about its middle, and the width and height it then has."""
    height, width = shape
    middle = width / 2, height / 2
    matrix = cv2.getRotationMatrix2D(middle, float(degree), 1.0)
    corners = cv2.boxPoints((middle, (width, height), float(degree)))
    size = np.ceil(corners.max(axis=0)) - np.floor(corners.min(axis=0)) + 1
    matrix[:, 2] += size / 2 - middle
    return matrix, (int(size[0]), int(size[1]))
