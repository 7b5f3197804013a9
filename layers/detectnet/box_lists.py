"""Lists of boxes from DetectNet's grid: those of the labels, and those that a net detects."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.param_str import numbers_in_order

MOST_BOXES = 50  # of a class in an image
LARGEST = 2**28  # pixels: OpenCV counts them in 32 bits


class _Clustering(Layer):
    """bottom[0]: N x classes x H x W, how far a cell is covered; bottom[1]: N x 4 x H x W, the box of each cell (x1,
    y1, x2, y2), in pixels from the cell's own corner. A top a class: N x 50 x 5, a row a box, the rest 0.
    """

    origin = "NVCaffe"
    bottom_count = (2, 2)
    top_count = (1, None)
    no_gradient = (0, 1)
    has_backward = False
    params: tuple[tuple[str, type], ...] = (("image_size_x", int), ("image_size_y", int), ("stride", int))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        params = (*self.params, ("num_classes", int))
        self.values = {"num_classes": 1, **numbers_in_order(self, params, optional=1)}
        if self.values["stride"] < 1 or not self._cells():
            raise self.error(f"param_str is {self.param_str!r}: no cell of the grid lies within the image")
        if len(top) != self.values["num_classes"]:
            raise self.error(
                f"there are {len(top)} tops for {self.values['num_classes']} classes; name one for each"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        covered, boxes = bottom[0].shape, bottom[1].shape
        if len(covered) != 4 or covered[1] != len(top) or boxes != (covered[0], 4, *covered[2:]):
            raise self.error(
                f"the bottoms have the shapes {covered} and {boxes}; expected N x {len(top)} x H x W and N x 4 x H x W"
            )
        for blob in top:
            blob.reshape(covered[0], MOST_BOXES, 5)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for index, blob in enumerate(top):
            blob.data[...] = 0
            for image, rows in enumerate(blob.data):
                found = self.boxes(bottom[0].data[image, index], bottom[1].data[image])[:MOST_BOXES]
                with np.errstate(
                    over="ignore"
                ):  # the original keeps half precision: far boxes are at infinity
                    rows[: len(found), : found.shape[1]] = found.astype(np.float16)

    def boxes(self, covered: np.ndarray, corners: np.ndarray) -> np.ndarray:
        """The boxes of a class in an image, a row each."""
        raise NotImplementedError

    def _cells(self) -> tuple[int, int] | None:
        """Rows and columns of the grid; None where there are none."""
        rows, columns = (self.values[f"image_size_{side}"] // self.values["stride"] for side in "yx")
        return (rows, columns) if rows > 0 and columns > 0 else None

    def in_the_image(self, chosen: np.ndarray, corners: np.ndarray) -> np.ndarray:
        """Return K x 4, the boxes of the cells that are `chosen`, in pixels of the image."""
        rows, columns = self._cells() or (0, 0)
        y, x = np.nonzero(chosen[:rows, :columns])
        left = x * (self.values["image_size_x"] / columns)
        upper = y * (self.values["image_size_y"] / rows)
        return corners[:, y, x].T + np.stack([left, upper, left, upper], 1)


class ClusterGroundtruth(_Clustering):
    """`python_param { module: "caffe.layers.detectnet.clustering" layer: "ClusterGroundtruth" }`: boxes of labels.

    Each box once, of the cells that are covered at all, by rows of the grid; the last of its five numbers is 0.
    param_str: image_size_x, image_size_y, stride (pixels) and the number of classes, 1 if it is left out. Coordinates
    are rounded to half precision. Boxes beyond 50 are left out. Raises LayerError for other params and shapes.
    Source: python/caffe/layers/detectnet/clustering.py of NVIDIA's Caffe.
    """

    def boxes(self, covered: np.ndarray, corners: np.ndarray) -> np.ndarray:
        rows = self.in_the_image(covered > 0, corners)
        return np.array(list(dict.fromkeys(map(tuple, rows)))).reshape(-1, 4)


class ClusterDetections(_Clustering):
    """`python_param { module: "caffe.layers.detectnet.clustering" layer: "ClusterDetections" }`: boxes of a net.

    The boxes of the cells that are covered by gridbox_cvg_threshold or more, rounded to whole pixels, are grouped by
    cv2.groupRectangles with gridbox_rect_threshold and gridbox_rect_eps. Groups of min_height pixels or more stay; the
    last of the five numbers is the logarithm of how many boxes are in the group. param_str: image_size_x,
    image_size_y, stride (pixels), these four, and the number of classes, 1 if it is left out. Numbers are rounded to
    half precision. Boxes beyond 50 are left out. Raises LayerError for other params and shapes.
    Source: python/caffe/layers/detectnet/clustering.py of NVIDIA's Caffe.
    """

    params = (
        *_Clustering.params,
        ("gridbox_cvg_threshold", float),
        ("gridbox_rect_threshold", int),
        ("gridbox_rect_eps", float),
        ("min_height", int),
    )

    def boxes(self, covered: np.ndarray, corners: np.ndarray) -> np.ndarray:
        rows = self.in_the_image(covered >= self.values["gridbox_cvg_threshold"], corners)
        if not rows.any():
            return np.empty((0, 5))
        rows[:, 2:] -= rows[:, :2]
        whole = np.rint(np.clip(np.nan_to_num(rows), -LARGEST, LARGEST)).astype(np.int32)
        threshold, eps = self.values["gridbox_rect_threshold"], self.values["gridbox_rect_eps"]
        grouped, sizes = cv2.groupRectangles(whole.tolist(), threshold, eps)
        groups = np.asarray(grouped, np.float64).reshape(-1, 4)
        confidence = np.log(np.asarray(sizes, np.float64).reshape(-1, 1))
        found = np.hstack([groups[:, :2], groups[:, :2] + groups[:, 2:], confidence])
        return found[groups[:, 3] >= self.values["min_height"]]
