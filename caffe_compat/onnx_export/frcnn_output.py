"""Cascade R-CNN's detections: FrcnnOutput."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.mscnn.frcnn_output import FrcnnOutput
from caffe_compat.onnx_export.choosing import best_apart, best_rows, just_below
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.mscnn import moved_corners
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import END, Operators


@converts("FrcnnOutput")
def frcnn_output(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, FrcnnOutput)
    param, how = layer.param, (1, layer.suppression.kind)
    scores = write("Transpose", write("Flatten", bottoms[0], axis=1), perm=[1, 0])
    scores = write.slice(scores, 1, END, 0)
    boxes = _boxes(write, layer, bottoms, scores)
    found, score = best_apart(write, boxes, scores, 0, 0, param.iou_thr, just_below(param.conf_thr), *how)
    label = affine(write, write.slice(found, 0, 1, 1), shift=1)
    image = write("Sub", label, label)
    columns = image, write.slice(found, 1, END, 1), label, write("Unsqueeze", score, write.ints([1]))
    rows = write("Concat", *columns, axis=1)
    if param.max_det_num > 0:
        best = best_rows(write, write.cast(image, np.int64), score, write.ints([1]), param.max_det_num)
        rows = write("Gather", rows, best, axis=0)
    first = write.floats([[0, *[-1] * 6]])
    return [write.four_axes(write("Concat", first, rows, axis=0), 2)]


def _boxes(write: Operators, layer: FrcnnOutput, bottoms: list[str], scores: str) -> str:
    """The box of each class but the background, and RoI, clipped to the image: classes x R x 4."""
    rois = write.slice(write("Flatten", bottoms[2], axis=1), 1, 5, 1)
    corners = [write("Unsqueeze", write.slice(rois, i, i + 1, 1), write.ints([2])) for i in range(4)]
    offsets = write.reshape(bottoms[1], 0, -1, 4)
    offsets = write.slice(offsets, 1, END, 1)
    moved = moved_corners(write, layer.regression, corners, write.many("Split", 4, offsets, axis=2))
    size = write.reshape(bottoms[3], 2)
    ends = [write("Gather", size, write.ints(i)) for i in (1, 0)]
    low = [write("Max", side, write.floats(0)) for side in moved[:2]]
    high = [write("Min", side, end) for side, end in zip(moved[2:], ends, strict=True)]
    boxes = write("Transpose", write("Concat", *low, *high, axis=2), perm=[1, 0, 2])
    if layer.regression.cls_aware:
        return boxes
    classes = write("Concat", write.dims(scores, 0, 1), write.ints([1, 1]), axis=0)
    return write("Tile", boxes, classes)
