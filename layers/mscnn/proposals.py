"""What BoxOutput and BoxGroupOutput share: from scored boxes of each image to RoIs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.mscnn.suppression import Suppression
from caffe_compat.prototxt.caffe_pb2 import BoxGroupOutputParameter, BoxOutputParameter

NO_BOX = (0, 1, 1, 10, 10)  # the RoI where no image has one


class Proposals(Layer):
    """top[0]: R x 5 x 1 x 1 RoIs (image, x1, y1, x2, y2); top[1], if wanted: R x 6 x 1 x 1, with the score behind.

    Of each image the max_nms_num best boxes (0: all), of these those that no better one overlaps (nms_type, iou_thr),
    and of these max_post_nms_num. Without any box, one row: a small RoI of image 0, of score 0 and in top[1] all 0.
    Subclasses say which boxes there are.
    """

    top_count = (1, 2)
    has_backward = False
    counts_rows = True
    pixel = 1  # see Suppression
    param: BoxOutputParameter | BoxGroupOutputParameter

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.no_gradient = tuple(range(len(bottom)))
        self.suppression = Suppression(self, self.param.nms_type, self.param.iou_thr, self.pixel)
        for blob, columns in zip(top, (5, 6), strict=False):
            blob.reshape(1, columns, 1, 1)

    def images(self, bottom: Sequence[Blob]) -> int:
        raise NotImplementedError

    def candidates(self, bottom: Sequence[Blob], image: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes x1 y1 x2 y2, their areas and their scores, the best first."""
        raise NotImplementedError

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rows = [self._rows(bottom, image) for image in range(self.images(bottom))]
        found = np.concatenate(rows) if rows else np.zeros((0, 6), np.float32)
        for blob, columns in zip(top, (5, 6), strict=False):
            blob.reshape(max(len(found), 1), columns, 1, 1)
            blob.data[...] = 0
            if len(found):
                blob.data[..., 0, 0] = found[:, :columns]
        if not len(found):
            top[0].data[0, :, 0, 0] = NO_BOX

    def _rows(self, bottom: Sequence[Blob], image: int) -> np.ndarray:
        best = slice(self.param.max_nms_num or None)
        boxes, areas, scores = (values[best] for values in self.candidates(bottom, image))
        kept = self.suppression.kept(boxes, areas)[: self.param.max_post_nms_num or None]
        return np.column_stack([np.full(len(kept), image, boxes.dtype), boxes[kept], scores[kept]])
