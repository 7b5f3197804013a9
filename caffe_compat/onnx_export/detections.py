"""SSD's detections: the boxes of ONNX's NonMaxSuppression, as rows in Caffe's order."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.ssd.detection_output import DetectionOutput
from caffe_compat.layers.ssd.detection_output_states import DetectionOutputStates
from caffe_compat.onnx_export.choosing import best_rows, detections
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import LOWEST, Operators
from caffe_compat.onnx_export.suppression import of_union, suppress_in_turn
from caffe_compat.prototxt.caffe_pb2 import PriorBoxParameter

POINTS = PriorBoxParameter


@converts("DetectionOutput", "DetectionOutputStates")
def detection_output(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, DetectionOutput)
    param = layer.layer_param.detection_output_param
    boxes, scores = (
        _boxes(write, layer, bottoms),
        _scores(write, layer, bottoms),
    )  # N x L x P x 4 (or 12), N x C x P
    by_class = not param.share_location
    if by_class:  # images and classes are one axis: to ONNX boxes are of an image
        boxes = write("Gather", boxes, write.ints(layer.classes), axis=1)
        scores = write("Unsqueeze", write("Flatten", scores, axis=2), write.ints([1]))
    boxes = write.reshape(write("Flatten", boxes, axis=2), 0, -1, layer.numbers)
    found = _suppressed(write, layer, boxes, scores)  # D x 3
    images, classes, priors = (write("Gather", found, write.ints([i]), axis=1) for i in range(3))
    box = write("GatherND", boxes, write("Concat", images, priors, axis=1))
    score = write("GatherND", scores, found)
    if by_class:
        count = write.ints(len(layer.classes))
        images, classes = write("Div", images, count), write("Mod", images, count)
    columns = [
        write.cast(images, np.float32),
        write("Gather", write.floats(layer.classes), classes, axis=0),
        write("Unsqueeze", score, write.ints([1])),
        box,
    ]
    if isinstance(layer, DetectionOutputStates):
        states = write.reshape(bottoms[3], 0, -1, layer.states)
        columns.insert(3, write("GatherND", states, write("Concat", images, priors, axis=1)))
    rows = write("Concat", *columns, axis=1)
    width = 3 + layer.numbers + (layer.states if isinstance(layer, DetectionOutputStates) else 0)
    numbers = write.dims(bottoms[0], 0, 1)
    if param.keep_top_k > -1:
        rows = write("Gather", rows, best_rows(write, images, score, numbers, param.keep_top_k), axis=0)
    return [detections(write, rows, numbers, width)]


def _boxes(write: Operators, layer: DetectionOutput, bottoms: list[str]) -> str:
    """N x L x P x 4: where the deltas lead; with use_polygon x 12, with the corners behind each box."""
    param = layer.layer_param.detection_output_param
    if layer.priors.pixels:
        rows = write.reshape(bottoms[2], 1, 1, -1, 5)
        priors = write("Div", write.slice(rows, 1, 5, 3), write.floats(layer.priors.pixels * 2))
        variances = write.floats([1])
    else:
        both = write.reshape(bottoms[2], 1, 2, -1, 4)
        priors, variances = (write("Gather", both, write.ints([i]), axis=1) for i in range(2))
    if param.variance_encoded_in_target:
        variances = write.floats([1])
    if len(bottoms) > 4:
        moves = write.reshape(bottoms[4], 0, 1, -1, 4)
        priors = _decoded(write, param.code_type, priors, variances, moves)
    if param.share_location:
        deltas = write.reshape(bottoms[0], 0, 1, -1, layer.numbers)
    else:
        deltas = write.reshape(bottoms[0], 0, -1, param.num_classes, layer.numbers)
        deltas = write("Transpose", deltas, perm=[0, 2, 1, 3])
    if not param.use_polygon:
        return _decoded(write, param.code_type, priors, variances, deltas)
    boxes = _decoded(write, param.code_type, priors, variances, write.slice(deltas, 0, 4, 3))
    side = write("Sub", *(write.slice(priors, i, i + 2, 3) for i in (2, 0)))
    steps = write("Tile", write("Mul", write.slice(variances, 0, 2, 3), side), write.ints([1, 1, 1, 4]))
    corners = write("Gather", priors, write.ints([0, 1, 2, 1, 2, 3, 0, 3]), axis=3)
    moved = write("Add", corners, write("Mul", steps, write.slice(deltas, 4, 12, 3)))
    return write("Concat", boxes, moved, axis=3)


def _decoded(write: Operators, code: int, priors: str, variances: str, deltas: str) -> str:
    deltas = write("Mul", variances, deltas)
    if code == PriorBoxParameter.CORNER:
        return write("Add", priors, deltas)
    low, high = (write.slice(priors, i, i + 2, 3) for i in (0, 2))
    size = write("Sub", high, low)
    first, second = (write.slice(deltas, i, i + 2, 3) for i in (0, 2))
    if code == PriorBoxParameter.CORNER_SIZE:
        return write("Add", priors, write("Mul", deltas, write("Concat", size, size, axis=3)))
    half = write.floats(0.5)
    centre = write("Add", write("Mul", first, size), write("Mul", write("Add", low, high), half))
    reach = write("Mul", half, write("Mul", write("Exp", second), size))
    return write("Concat", write("Sub", centre, reach), write("Add", centre, reach), axis=3)


def _scores(write: Operators, layer: DetectionOutput, bottoms: list[str]) -> str:
    """N x C x P, of the classes that count."""
    param = layer.layer_param.detection_output_param
    scores = write.reshape(bottoms[1], 0, -1, param.num_classes)
    if layer.has_objectness:
        objectness = write("Gather", write.reshape(bottoms[3], 0, -1, 2), write.ints([1]), axis=2)
        easy = write("Less", objectness, write.floats(param.objectness_score))
        scores = write("Where", easy, write.floats(np.arange(param.num_classes) == 0), scores)
    scores = write("Transpose", scores, perm=[0, 2, 1])
    return write("Gather", scores, write.ints(layer.classes), axis=1)


def _suppressed(write: Operators, layer: DetectionOutput, boxes: str, scores: str) -> str:
    """What stays: image, class and prior, D x 3; by image, class and descending score."""
    nms, priors = layer.layer_param.detection_output_param.nms_param, write.dims(scores, 2, 3)
    if nms.soft_nms:
        raise layer.error("cannot be exported to ONNX with soft_nms, which orders boxes anew again and again")
    best = priors if layer.most is None else write.ints([layer.most])
    boxes = write.slice(boxes, 0, 4, 2) if layer.numbers > 4 else boxes
    if nms.eta < 1:
        limit, falls = nms.nms_threshold, nms.eta
        return suppress_in_turn(write, boxes, scores, best, layer.least, of_union, limit, falls)
    # a box that ends before it starts has no area in Caffe; ONNX would turn it round
    low, high = (write.slice(boxes, i, i + 2, 2) for i in (0, 2))
    boxes = write("Concat", low, write("Max", low, high), axis=2)
    if layer.most is not None:
        best = write("Min", best, priors)
        top, places = write.many("TopK", 2, scores, best, axis=2)
        nothing = write("Expand", write.floats(LOWEST), write("Shape", scores))
        scores = write("ScatterElements", nothing, places, top, axis=2)
    return write.suppress(boxes, scores, priors, nms.nms_threshold, layer.least)
