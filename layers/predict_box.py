"""PredictBox: the boxes of MTCNN's first net."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

WINDOW = np.float32(12)  # pixels of the net's own field
SLACK = 1e-5


@register("PredictBox")
class PredictBox(Layer):
    """A box for each place of a map whose score is above positive_thresh.

    bottom[0]: N x 2 x H x W scores, the second one of a face. bottom[1], if any: N x 4 x H x W, how far the box is
    moved: x y and the logarithms of width and height, in receptive fields, or, with bbreg_exp: false, y x of the upper
    left and the lower right corner. bottom[2], if any, has 2 channels (a pooled bottom[0]: only places that are as high
    as that count) or 3: x, y and the receptive field of the stitched image at each place, which counts where that is
    not 0. top[0]: N x 5 x H x W x y width height score, 0 elsewhere; top[1], if any: the boxes of one image, 1 x R x 5,
    column by column, or N x 1 x 5 zeros where there is none, or are several images. predict_box_param.stride and
    receptive_field are in pixels. Raises LayerError for shapes that do not agree.
    Source: PredictBoxLayer of happynear's Caffe, for Zhang and others, Joint Face Detection and Alignment (2016).
    """

    reads = ("predict_box_param",)
    origin = "happynear"
    bottom_count = (1, 3)
    top_count = (1, 2)
    no_gradient = (0, 1, 2)
    has_backward = False
    counts_rows = True
    row_axis = 1
    without_effect = ("predict_box_param.nms", "predict_box_param.output_vector")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        maps: tuple[int, ...] = (*shapes[0][:1], *shapes[0][2:])
        for shape, channels in zip(shapes, ((2,), (4,), (2, 3)), strict=False):
            if len(shape) != 4 or (*shape[:1], *shape[2:]) != maps or shape[1] not in channels:
                raise self.error(
                    f"the bottoms have the shapes {shapes}; expected N x 2 x H x W, then N x 4 x H x W, then N x 2 or "
                    "3 x H x W"
                )
        top[0].reshape(maps[0], 5, *maps[1:])
        if len(top) > 1:
            top[1].reshape(maps[0], 1, 5)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, score = self.layer_param.predict_box_param, bottom[0].data[:, 1]
        found = score > np.float32(param.positive_thresh)
        field, moved = (
            np.full(score.shape, param.receptive_field, np.float32),
            np.zeros((2, 1, 1, 1), np.float32),
        )
        if len(bottom) > 2:
            third = bottom[2].data
            if third.shape[1] == 2:
                found &= score > third[:, 1] - SLACK
            else:
                moved, field = third[:, :2].swapaxes(0, 1), third[:, 2]
                found &= field != 0
        rows, columns = np.indices(score.shape[1:], np.float32) * np.float32(param.stride)
        x, y = ((place - by) / WINDOW * field for place, by in zip((columns, rows), moved, strict=True))
        boxes = [x, y, field, field, score]
        if len(bottom) > 1:
            boxes = self._moved(boxes, bottom[1].data.swapaxes(0, 1), field)
        for channel, values in enumerate(boxes):
            top[0].data[:, channel] = np.where(found, values, 0)
        if len(top) > 1:
            self._list(top, found)

    def _moved(self, boxes: list[np.ndarray], steps: np.ndarray, field: np.ndarray) -> list[np.ndarray]:
        x, y, width, height, score = boxes
        if self.layer_param.predict_box_param.bbreg_exp:
            with np.errstate(over="ignore"):
                grown = np.exp(steps[2:])
            return [x + steps[0] * field, y + steps[1] * field, width * grown[0], height * grown[1], score]
        up, left, down, right = steps
        width, height = width + (right - left) * field, height + (down - up) * field
        return [x + left * field, y + up * field, width, height, score]

    def _list(self, top: Sequence[Blob], found: np.ndarray) -> None:
        rows = top[0].data[0].transpose(2, 1, 0)[found[0].T] if len(found) == 1 else np.empty((0, 5))
        top[1].reshape(len(found), max(len(rows), 1), 5)
        top[1].data[...] = rows if len(rows) else 0
