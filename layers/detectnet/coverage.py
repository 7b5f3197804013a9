"""DetectNet's labels: what each cell of a grid over the image has to say of the object that covers it.

Source: NVCaffe's CoverageGenerator.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import DetectNetGroundTruthParameter

LEAST = np.finfo(np.float32).eps
FIRST_CLASS = 8  # channels before those of the classes


class Coverage:
    """The labels of a detectnet_groundtruth_param: channels x rows x columns (`shape`).

    Channels: 1 where an object covers the cell; the corners of its box x1 y1 x2 y2 from the cell's own; 1 over the
    box's width and height; with obj_norm, 1 over how many cells are covered, else 1 at least; a channel a class.
    """

    def __init__(self, param: DetectNetGroundTruthParameter):
        self.param = param
        self.channels = {mapping.src: mapping.dst for mapping in param.object_class} or {1: 0}
        part = np.float32(1 / param.stride)
        rows, columns = (int(np.rint(np.float32(n) * part)) for n in (param.image_size_y, param.image_size_x))
        self.shape = FIRST_CLASS + max(self.channels.values()) + 1, rows, columns

    def generate(self, boxes: np.ndarray, classes: np.ndarray, label: np.ndarray) -> None:
        """Write the label (of this `shape`) of boxes n x 4 (x y width height); later ones lie above earlier ones."""
        label.fill(0)
        for box, number in zip(boxes, classes, strict=True):
            near, far = box[:2], box[:2] + box[2:]
            if self.param.crop_bboxes:
                size = np.array([self.param.image_size_x, self.param.image_size_y], np.float32)
                near, far = np.maximum(near, 0), np.minimum(far, size)
            if int(number) in self.channels and _area(near, far) >= LEAST:
                self._draw(label, near, far, self.channels[int(number)])

    def _draw(self, label: np.ndarray, near: np.ndarray, far: np.ndarray, channel: int) -> None:
        low, high = self._covered(near, far)
        stride, (_, rows, columns) = np.float32(self.param.stride), self.shape
        first = np.clip(np.floor(low / stride), 0, (columns, rows)).astype(int)
        last = np.clip(np.ceil(high / stride), 0, (columns, rows)).astype(int)
        xs, ys = (np.arange(first[i], last[i], dtype=np.float32) * stride for i in range(2))
        wide, tall = (
            np.maximum(np.minimum(high[i], cells + stride) - np.maximum(low[i], cells), 0)
            for i, cells in enumerate((xs, ys))
        )
        y, x = np.nonzero(np.multiply.outer(tall, wide) / stride**2 > LEAST)
        if not y.size:
            return
        label[FIRST_CLASS:, first[1] + y, first[0] + x] = 0
        norm = stride**2 / _area(low, high)
        values = [1, near[0] - xs[x], near[1] - ys[y], far[0] - xs[x], far[1] - ys[y], *1 / (far - near)]
        values.append(norm if self.param.obj_norm else max(1, norm))
        for i, value in (*enumerate(values), (FIRST_CLASS + channel, 1)):
            label[i, first[1] + y, first[0] + x] = value

    def _covered(self, near: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The corners of the part of a box whose cells learn from it."""
        size = far - near
        shrunk = size * np.float32(self.param.scale_cvg)
        if self.param.gridbox_type == DetectNetGroundTruthParameter.GRIDBOX_MIN:
            shrunk = np.minimum(size, np.maximum(np.float32(self.param.min_cvg_len), shrunk))
        else:
            shrunk = np.minimum(np.float32(self.param.max_cvg_len), shrunk)
        centre = (near + far) / 2
        return centre - shrunk / 2, centre + shrunk / 2


def _area(near: np.ndarray, far: np.ndarray) -> np.float32:
    return np.prod(np.maximum(far - near, 0))
