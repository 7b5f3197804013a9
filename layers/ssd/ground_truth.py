"""The objects in SSD's training images, as a bottom has them."""

from __future__ import annotations

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.prototxt.caffe_pb2 import MultiBoxLossParameter

IMAGE, LABEL, X1, DIFFICULT = 0, 1, 3, 7


class GroundTruthBoxes:
    """Rows of image (-1: no object), class, instance, x1 y1 x2 y2 normalized, difficult: 1 x 1 x G x 8.

    With use_polygon 1 x 1 x G x 16: behind these, x and y of a polygon's four corners.
    images, labels: K whole numbers. boxes: K x 4. polygons: K x 8, or K x 0. All of those objects that count, after
    `read`. Of two classes, objects of all classes above are the second.
    Source: AnnotatedDataLayer and GetGroundTruth of the SSD fork of Caffe, of RefineDet's and of TextBoxes++'.
    """

    def __init__(self, layer: Layer, param: MultiBoxLossParameter):
        self.layer, self.param = layer, param
        self.width = 16 if param.use_polygon else 8

    def check_shape(self, blob: Blob) -> None:
        """Raise LayerError for a blob that has no rows of so many numbers."""
        if len(blob.shape) != 4 or blob.shape[:2] != (1, 1) or blob.width != self.width:
            raise self.layer.error(
                f"bottom[3] has the shape {blob.shape}; expected 1 x 1 x G x {self.width}: image, class, instance, x1, "
                f"y1, x2, y2, difficult{', x1 y1 to x4 y4' if self.param.use_polygon else ''} of each object"
            )

    def read(self, blob: Blob, images: int) -> None:
        """Take the objects. Raises LayerError for one of an image or class that there is not."""
        rows = blob.data.reshape(-1, self.width)
        if not np.isfinite(rows).all():
            raise self.layer.error("bottom[3] is not finite")
        rows = rows[rows[:, IMAGE].astype(int) != -1]
        if not self.param.use_difficult_gt:
            rows = rows[rows[:, DIFFICULT] == 0]
        self.images, self.labels = rows[:, IMAGE].astype(int), rows[:, LABEL].astype(int)
        self.boxes = np.ascontiguousarray(rows[:, X1:DIFFICULT])
        self.polygons = rows[:, DIFFICULT + 1 :]
        if self.param.num_classes == 2:
            self.labels = np.minimum(self.labels, 1)
        background = self.param.background_label_id
        wrong = (self.labels < 0) | (self.labels == background) | (self.labels >= self.param.num_classes)
        wrong |= (self.images < 0) | (self.images >= images)
        if wrong.any():
            first = int(wrong.argmax())
            raise self.layer.error(
                f"bottom[3] has an object of class {self.labels[first]} in image {self.images[first]}; expected "
                f"classes below {self.param.num_classes}, other than the background {background}, and images below "
                f"{images}"
            )

    def rows(self, image: int, label: int | None = None) -> np.ndarray:
        """Which objects are in an image, of one class if that is said."""
        here = self.images == image
        return np.flatnonzero(here if label is None else here & (self.labels == label))
