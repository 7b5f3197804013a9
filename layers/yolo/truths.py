"""The labels of YOLO's losses: a list of objects for each image, as rows of class, x, y, width, height."""

from __future__ import annotations

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer

ROW = 5


def check_rows(layer: Layer, labels: Blob, images: int) -> None:
    """Raise LayerError unless the labels are rows of five for so many images: N x 1 x T x 5, or as many numbers."""
    if labels.num != images or labels.count % (images * ROW) or not labels.count:
        raise layer.error(
            f"the labels have the shape {labels.shape}; expected rows of class, x, y, width and height for each of "
            f"{images} images, as {(images, 1, 300, ROW)}"
        )


def read_rows(layer: Layer, labels: Blob) -> np.ndarray:
    """N x T x 5. Raises LayerError where a number is not finite."""
    _check_finite(layer, labels)
    return labels.data.reshape(labels.num, -1, ROW)


def _check_finite(layer: Layer, labels: Blob) -> None:
    if not np.isfinite(labels.data).all():
        raise layer.error("a number of the labels is not finite: correct the labels")


def until(rows: np.ndarray, column: int) -> np.ndarray:
    """The rows before the first one that has 0 in this column."""
    zero = rows[:, column] == 0
    return rows[: int(np.argmax(zero))] if zero.any() else rows


def cell_of(layer: Layer, truth: np.ndarray, width: int, height: int) -> tuple[int, int]:
    """Row and column of the cell, of a grid, in which an object (x, y, ...) has its middle. Raises LayerError."""
    x, y = truth[0] * truth.dtype.type(width), truth[1] * truth.dtype.type(height)
    if not (0 <= x < width and 0 <= y < height):
        raise layer.error(
            f"an object has its middle at ({truth[0]:g}, {truth[1]:g}); x and y are parts of the image, at least 0 "
            "and below 1: correct the labels"
        )
    return int(y), int(x)


def by_image(layer: Layer, labels: Blob, images: int) -> list[np.ndarray]:
    """Of each image, and of one more, the rows (class from 0, x, y, w, h) that SSD's rows of eight have for it.

    A row of image -1 is none; one of the image after the last, as in dummy data, counts for nothing.
    Raises LayerError where a row names another one.
    """
    _check_finite(layer, labels)
    rows = labels.data.reshape(-1, 8)
    wrong = (rows[:, 0] <= -2) | (rows[:, 0] >= images + 1)
    if wrong.any():
        raise layer.error(
            f"a row of the labels names image {rows[wrong][0, 0]:g}; there are {images}, counted from 0"
        )
    image = rows[:, 0].astype(np.int64)
    low, high = rows[:, 3:5], rows[:, 5:7]
    found = np.column_stack([rows[:, 1] - 1, (low + high) / 2, high - low]).astype(rows.dtype)
    return [found[image == i] for i in range(images + 1)]
