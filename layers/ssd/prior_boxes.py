"""The prior boxes that SSD's layers take as a bottom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import priors as kernels

CORNERS = np.array(
    [0, 1, 2, 1, 2, 3, 0, 3]
)  # of a box x1 y1 x2 y2: which of them a polygon's eight numbers start at


class PriorBoxes:
    """What DetectionOutput and MultiBoxLoss do with bottom[2], the top of PriorBox: 1 x 2 x 4P.

    code: how deltas lead to boxes, a PriorBoxParameter.CodeType. in_target: the variances are in what the deltas were
    learnt from, so that `decode` leaves them out. pixels: width and height of the image where bottom[2] is 1 x 1 x 5P,
    rows of image and box in pixels, without variances.
    boxes, variances: P x 4, after `read`. refined: N x P x 4 after `refine`: each image has priors of its own.
    """

    def __init__(self, layer: Layer, code: int, in_target: bool, pixels: tuple[int, int] | None = None):
        self.layer, self.code, self.in_target, self.pixels = layer, code, in_target, pixels
        self.refined: np.ndarray | None = None

    def check_shapes(self, bottom: Sequence[Blob], labels: int, classes: int, numbers: int = 4) -> int:
        """Return how many priors there are.

        Raises LayerError unless bottom[0] has `numbers` x labels numbers a prior, bottom[1] one for each class.
        """
        shape, want = bottom[2].shape, (1, 1, 5) if self.pixels else (1, 2, 4)
        each = want[1] * want[2]
        if shape[:2] != want[:2] or bottom[2].count % each or not bottom[2].count:
            raise self.layer.error(
                f"bottom[2] has the shape {shape}; expected 1 x {want[1]} x {want[2]}P"
                + (", the top of PriorBox" if not self.pixels else ": image, x1, y1, x2, y2 of each prior")
            )
        count = bottom[2].count // each
        self.check_predictions(bottom, 0, count, numbers * labels)
        self.check_predictions(bottom, 1, count, classes)
        return count

    def check_predictions(self, bottom: Sequence[Blob], index: int, count: int, each: int) -> None:
        """Raise LayerError unless a bottom has so many numbers for each of `count` priors in each image."""
        if not bottom[index].shape or bottom[index].count != bottom[0].num * count * each:
            raise self.layer.error(
                f"bottom[{index}] has the shape {bottom[index].shape}; expected {bottom[0].num} x {count * each}, "
                f"which is {each} for each of {count} priors"
            )

    def read(self, blob: Blob) -> None:
        """Take the priors. Raises LayerError for one without width or height, where SSD's code refuses it; those in
        pixels may be rows of 0 behind a Proposal's, of which OpenVINO makes boxes without area."""
        self.refined = None
        if self.pixels:
            self.boxes = blob.data.reshape(-1, 5)[:, 1:] / np.array(self.pixels * 2, blob.dtype)
            self.variances = np.ones_like(self.boxes)
        else:
            self.boxes, self.variances = blob.data.reshape(2, -1, 4)
        flat = (self.boxes[:, 2:] <= self.boxes[:, :2]).any(axis=1)
        if self.code != kernels.CORNER and not self.pixels and flat.any():
            row = int(flat.argmax())
            raise self.layer.error(f"prior {row} is {self.boxes[row].tolist()}; expected x1 < x2 and y1 < y2")

    def refine(self, deltas: np.ndarray) -> None:
        """Move the priors of each image by deltas, N x P x 4. Source: RefineDet's fork of Caffe."""
        self.refined = np.stack([self.decode(own) for own in deltas])

    def of(self, image: int) -> np.ndarray:
        """The priors of an image, P x 4."""
        return self.boxes if self.refined is None else self.refined[image]

    def at(self, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The priors of these rows in these images, M x 4."""
        return self.boxes[rows] if self.refined is None else self.refined[images, rows]

    def decode(
        self, deltas: np.ndarray, rows: np.ndarray | slice = slice(None), boxes: np.ndarray | None = None
    ) -> np.ndarray:
        """The boxes (M x 4) where deltas (M x 4) lead from the priors of these rows, in the order of the deltas.

        boxes: the M priors, where they are not those that were read.
        """
        variances = np.ones_like(self.variances) if self.in_target else self.variances
        start, result = self.boxes[rows] if boxes is None else boxes, np.empty_like(deltas)
        kernels.decode(start, variances[rows], np.ascontiguousarray(deltas), self.code, result)
        return result

    def encode(self, boxes: np.ndarray, rows: np.ndarray, gt_boxes: np.ndarray) -> np.ndarray:
        """The deltas, over the variances of these rows, from boxes to gt_boxes; all are M x 4."""
        deltas = np.empty_like(gt_boxes)
        kernels.encode(boxes, self.variances[rows], gt_boxes, self.code, deltas)
        return deltas

    def encode_polygons(self, boxes: np.ndarray, rows: np.ndarray, polygons: np.ndarray) -> np.ndarray:
        """The deltas, over the variances of these rows, from the corners of boxes (M x 4) to polygons (M x 8)."""
        sides = self.variances[rows, :2] * (boxes[:, 2:] - boxes[:, :2])
        return (polygons - boxes[:, CORNERS]) / np.tile(sides, 4)

    def decode_polygons(self, boxes: np.ndarray, deltas: np.ndarray) -> np.ndarray:
        """The polygons (P x 8) where deltas (P x 8) lead from the corners of these priors, P x 4."""
        sides = self.variances[:, :2] * (boxes[:, 2:] - boxes[:, :2])
        return boxes[:, CORNERS] + np.tile(sides, 4) * deltas
