"""The detections of YOLO v2 and v3: of all boxes and classes at once those that stand apart."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.yolo.yolo_detection_output import YoloDetectionOutput
from caffe_compat.layers.yolo.yolov3_detection_output import GAUSSIAN, PLAIN, Yolov3DetectionOutput
from caffe_compat.onnx_export.choosing import detections, just_below
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators

# candidates of a grid: boxes, P x 4 as corners, and scores and classes (from 1), P x 1
Candidates = tuple[str, str, str]
CELLS = 4  # axes of predictions by place: N x H x W x A x numbers


@converts("YoloDetectionOutput")
def yolo_detection_output(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, YoloDetectionOutput)
    found = [_of_v2(write, layer, bottom) for bottom in bottoms[:2]]
    least = just_below(layer.param.confidence_threshold)
    return [_chosen(write, found, layer.param.nms_threshold, least, bottoms[0])]


def _of_v2(write: Operators, layer: YoloDetectionOutput, maps: str) -> Candidates:
    x = _by_place(write, maps, len(layer.anchors), 5 + layer.param.num_classes)
    boxes = _boxes(write, maps, x, (0, 1), (2, 3), layer.anchors, cell=1)
    classes = write("Softmax", write.slice(x, 5, 5 + layer.param.num_classes, CELLS), axis=CELLS)
    own = write("Sigmoid", write.slice(x, 4, 5, CELLS))
    scores = write("Mul", own, write("ReduceMax", classes, axes=[CELLS], keepdims=1))
    best = write.cast(write("ArgMax", classes, axis=CELLS, keepdims=1), np.float32)
    return boxes, write.reshape(scores, -1, 1), write.reshape(write("Add", best, write.floats(1)), -1, 1)


@converts("Yolov3DetectionOutput")
def yolov3_detection_output(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Yolov3DetectionOutput)
    found = [_of_v3(write, layer, *grid) for grid in enumerate(bottoms)]
    least = float(np.float32(layer.param.confidence_threshold))
    return [_chosen(write, found, layer.param.nms_threshold, least, bottoms[-1])]


def _of_v3(write: Operators, layer: Yolov3DetectionOutput, index: int, maps: str) -> Candidates:
    classes, scale = layer.param.num_classes, layer.param.anchors_scale[index]
    x = _by_place(write, maps, layer.param.num_box, layer.numbers)
    middle, size, score = GAUSSIAN if layer.param.gaussian_box else PLAIN
    boxes = _boxes(write, maps, x, middle, size, layer.anchors[index], scale)
    own = write("Sigmoid", write.slice(x, score, score + 1, CELLS))
    if layer.param.gaussian_box:
        unsure = write("Sigmoid", write("Gather", x, write.ints([1, 3, 5, 7]), axis=CELLS))
        sure = write("Sub", write.floats(1), write("ReduceMean", unsure, axes=[CELLS], keepdims=1))
        own = write("Mul", own, sure)
    scores = write("Mul", own, write("Sigmoid", write.slice(x, score + 1, layer.numbers, CELLS)))
    each = write("Tile", write("Unsqueeze", boxes, write.ints([1])), write.ints([1, classes, 1]))
    numbers = write("Expand", write.floats(np.arange(1, classes + 1)), write("Shape", scores))
    return write.reshape(each, -1, 4), write.reshape(scores, -1, 1), write.reshape(numbers, -1, 1)


def _by_place(write: Operators, maps: str, anchors: int, numbers: int) -> str:
    """N x H x W x A x numbers, from N x A numbers x H x W."""
    by_place = write("Transpose", maps, perm=[0, 2, 3, 1])
    return write.reshape(by_place, 0, 0, 0, anchors, numbers)


def _boxes(
    write: Operators,
    maps: str,
    x: str,
    middle: tuple[int, int],
    size: tuple[int, int],
    anchors: np.ndarray,
    cell: int,
) -> str:
    """Corners, P x 4. middle, size: where the predictions have them; anchors: in units, of which a cell has `cell`."""
    sides = []
    for i, axis in enumerate((3, 2)):  # along x, along y
        cells = write.size(maps, axis)
        places = write("Unsqueeze", write.places(maps, axis), write.ints([1, 2] if axis == 3 else [1, 2, 3]))
        inside = write("Sigmoid", write.slice(x, middle[i], middle[i] + 1, CELLS))
        centre = write("Div", write("Add", inside, places), cells)
        growth = write("Exp", write.slice(x, size[i], size[i] + 1, CELLS))
        whole = write("Mul", cells, write.floats(cell))
        reach = write("Div", write("Mul", growth, write.floats(anchors[:, i : i + 1] / 2)), whole)
        sides.append([write(sign, centre, reach) for sign in ("Sub", "Add")])
    corners = (sides[i][j] for j in range(2) for i in range(2))
    return write.reshape(write("Concat", *corners, axis=CELLS), -1, 4)


def _chosen(write: Operators, grids: list[Candidates], overlap: float, least: float, maps: str) -> str:
    """1 x 1 x D x 7. A box goes that overlaps a better one by `overlap` or more; scores are above `least`."""
    boxes, scores, classes = (write("Concat", *parts, axis=0) for parts in zip(*grids, strict=True))
    rows = write("Concat", classes, scores, boxes, axis=1)
    found = write.suppress(
        write("Unsqueeze", boxes, write.ints([0])),
        write.reshape(scores, 1, 1, -1),
        write.dims(boxes, 0, 1),
        just_below(overlap),
        least,
    )
    rows = write("Gather", rows, write("Gather", found, write.ints(2), axis=1), axis=0)
    rows = write("Pad", rows, write.ints([0, 1, 0, 0]))  # all are of image 0
    return detections(write, rows, write.dims(maps, 0, 1))
