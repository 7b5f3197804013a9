"""What the two Caffes that have RegionLoss do differently."""

from __future__ import annotations

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.yolo import truths
from caffe_compat.prototxt.caffe_pb2 import RegionLossParameter

Objects = list[
    tuple[np.ndarray, np.ndarray]
]  # of each image: what boxes are compared with, and what is matched


class MobileNetYoloRules:
    """Of the Caffe of MobileNet-YOLO: rows of class (from 0), x, y, w, h for each image; errors as in darknet."""

    def __init__(self, layer: Layer, param: RegionLossParameter):
        self.layer, self.param = layer, param

    def check(self, predictions: Blob, labels: Blob) -> None:
        """Raise LayerError where the labels do not fit."""
        truths.check_rows(self.layer, labels, predictions.num)

    def objects(self, labels: Blob, images: int) -> Objects:
        """Rows of class, x, y, w, h; the list to compare with ends where x is 0, the list to match where w is 0."""
        return [
            (truths.until(rows, 1), truths.until(rows, 3)) for rows in truths.read_rows(self.layer, labels)
        ]

    def class_of(self, label: float) -> int:
        """The class that a row's number means."""
        return int(label)

    def weight(self, truth: np.ndarray) -> float:
        """Of the errors of a box's four numbers: a small one counts more, unless with `rescore`."""
        scale = self.param.coord_scale
        return scale if self.param.rescore else scale * (2 - truth[2] * truth[3])

    def slope(self, error: np.ndarray) -> np.ndarray:
        """The gradient for these errors."""
        return error

    def object_slope(self, score: float, overlap: float) -> float:
        """The gradient of an object's score before the sigmoid; with `rescore` it shall be the overlap, else 1."""
        wanted = overlap if self.param.rescore else 1
        return self.param.object_scale * (score - wanted) * score * (1 - score)

    def loss(self, squares: float, images: int) -> float:
        """The loss, of the sum of all squares."""
        return squares / images


class IntelRules(MobileNetYoloRules):
    """Of Intel's Caffe: SSD's rows (image, class from 1, instance, x1, y1, x2, y2, difficult); errors of a box's
    numbers count 1 at most, and hard objects more."""

    def __init__(self, layer: Layer, param: RegionLossParameter):
        super().__init__(layer, param)
        self.class_map = _read_class_map(layer, param.class_map)

    def check(self, predictions: Blob, labels: Blob) -> None:
        """Nothing: rows of eight fit any number of images."""

    def objects(self, labels: Blob, images: int) -> Objects:
        found = truths.by_image(self.layer, labels, images)
        return [(rows, rows) for rows in found[:images]]

    def class_of(self, label: float) -> int:
        found = int(label)
        if not self.class_map:
            return found
        if not 0 <= found < len(self.class_map):
            raise self.layer.error(
                f"class {found} of an object has no line in class_map '{self.param.class_map}', "
                f"which has {len(self.class_map)}"
            )
        return self.class_map[found]

    def weight(self, truth: np.ndarray) -> float:
        return self.param.coord_scale

    def slope(self, error: np.ndarray) -> np.ndarray:
        return np.clip(error, -1, 1)

    def object_slope(self, score: float, overlap: float) -> float:
        return -self.param.object_scale * 2 * (1 - score) ** 3 * score * (1 - score)

    def loss(self, squares: float, images: int) -> float:
        return squares


def _read_class_map(layer: Layer, path: str) -> list[int]:
    if not path:
        return []
    numbers = []
    for text, place in read_lines(layer, path, "class_map"):
        if not text.strip().lstrip("-").isdigit():
            raise layer.error(
                f"{place}: '{text}' is no whole number; class_map has one a line, the class to learn"
            )
        numbers.append(int(text))
    return numbers
