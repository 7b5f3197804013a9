"""Layers of MS-CNN and Cascade R-CNN that make, move and choose boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.mscnn.anchors import Anchors
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.box_group_output import BoxGroupOutput
from caffe_compat.layers.mscnn.box_output import BoxOutput
from caffe_compat.layers.mscnn.decode_bbox import DecodeBBox
from caffe_compat.layers.mscnn.proposals import NO_BOX, Proposals
from caffe_compat.layers.mscnn.scale_route import ScaleRoute
from caffe_compat.onnx_export.choosing import best_apart, just_below, rows_or
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import END, LOWEST, Operators

Scored = tuple[
    str, str
]  # boxes as corners, N x P x 4, and scores, N x P: LOWEST for those that are too small
Axis = tuple[
    str, str, str
]  # along x or y: where boxes start, N x G x 1 x H x W; their sizes; the image's size


@converts("BoxOutput")
def box_output(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, BoxOutput)
    scales = [_of_one(write, layer, *scale) for scale in zip(bottoms, layer.anchors, strict=True)]
    # of equal scores the last is the best
    boxes, scores = (write.reverse(write("Concat", *parts, axis=1), 1) for parts in zip(*scales, strict=True))
    return _chosen(write, layer, boxes, scores)


def _of_one(write: Operators, layer: BoxOutput, maps: str, anchors: Anchors) -> Scored:
    ends, sizes = [], []
    for start, size, whole in _decoded(write, layer, write.slice(maps, -4, END, 1), anchors):
        start = write("Max", start, write.floats(0))
        sizes.append(write("Min", size, write("Sub", whole, start)))
        ends.append((start, write("Add", start, sizes[-1])))
    background, others = write.slice(maps, 0, 1, 1), write.slice(maps, 1, -4, 1)
    scores = write("Sub", write("ReduceMax", others, axes=[1], keepdims=1), background)
    return _scored(write, layer, ends, sizes, scores)


@converts("BoxGroupOutput")
def box_group_output(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, BoxGroupOutput)
    pairs = zip(bottoms[::2], bottoms[1::2], layer.anchors, strict=True)
    scales = [_of_a_pair(write, layer, *pair) for pair in pairs]
    boxes, scores = (write("Concat", *parts, axis=1) for parts in zip(*scales, strict=True))
    return _chosen(write, layer, boxes, scores)


def _of_a_pair(
    write: Operators, layer: BoxGroupOutput, probabilities: str, offsets: str, anchors: Anchors
) -> Scored:
    ends, sizes, one = [], [], write.floats(1)
    for start, size, whole in _decoded(write, layer, offsets, anchors):
        end = write("Min", write("Sub", write("Add", start, size), one), whole)
        start = write("Max", start, write.floats(0))
        ends.append((start, end))
        sizes.append(write("Add", write("Sub", end, start), one))
    scores = write("Sub", one, write.slice(probabilities, 0, 1, 1))
    return _scored(write, layer, ends, sizes, _by_group(write, scores, anchors, 1))


def _by_group(write: Operators, maps: str, anchors: Anchors, channels: int) -> str:
    """N x G x channels x H x W, of rows of which each is of an image and a group."""
    shape = write("Concat", write.ints([-1, anchors.groups, channels]), write.dims(maps, 2, 4), axis=0)
    return write("Reshape", maps, shape)


def _decoded(
    write: Operators, layer: BoxOutput | BoxGroupOutput, offsets: str, anchors: Anchors
) -> list[Axis]:
    """The boxes to which offsets lead, along x and along y."""
    parts = write.many("Split", 4, _by_group(write, offsets, anchors, 4), axis=2)
    parts = _restored(write, layer.regression, parts)
    limits = np.transpose(layer.bounds)
    parts = [write("Clip", x, *map(write.floats, limit)) for x, limit in zip(parts, limits, strict=True)]
    stride, half = write.floats(anchors.stride), write.floats(0.5)
    result = []
    for i, axis in enumerate((3, 2)):
        places = write("Add", write.places(offsets, axis), half)
        if axis == 2:
            places = write("Unsqueeze", places, write.ints([1]))
        field = write.floats(anchors.fields[:, i].reshape(-1, 1, 1, 1))
        size = write("Mul", field, write("Exp", parts[i + 2]))
        centre = write("Add", write("Mul", parts[i], field), write("Mul", places, stride))
        start = write("Sub", centre, write("Mul", size, half))
        result.append((start, size, write("Mul", write.size(offsets, axis), stride)))
    return result


def _restored(write: Operators, regression: BBoxReg, parts: Sequence[str]) -> list[str]:
    """Offsets as they are, from normalized ones."""
    numbers = zip(parts, regression.std, regression.mean, strict=True)
    return [
        write("Add", write("Mul", part, write.floats(std)), write.floats(mean)) for part, std, mean in numbers
    ]


def _scored(
    write: Operators, layer: Proposals, ends: list[tuple[str, str]], sizes: list[str], scores: str
) -> Scored:
    least = write.floats(np.float32(layer.param.min_size))
    large = write("And", *(write("GreaterOrEqual", size, least) for size in sizes))
    images = write.dims(ends[0][0], 0, 1)
    lists = [write.reshape(ends[i][j], 0, -1, 1) for j in range(2) for i in range(2)]
    rows = write("Concat", images, write.ints([-1]), axis=0)
    large, scores = (write("Reshape", x, rows) for x in (large, scores))
    return write("Concat", *lists, axis=2), write("Where", large, scores, write.floats(LOWEST))


def _chosen(write: Operators, layer: BoxOutput | BoxGroupOutput, boxes: str, scores: str) -> list[str]:
    """The tops."""
    param = layer.param
    limits = param.max_nms_num, param.max_post_nms_num, param.iou_thr, just_below(param.fg_thr)
    rois, score = best_apart(write, boxes, scores, *limits, layer.pixel, layer.suppression.kind)
    tops = [rows_or(write, rois, write.floats([NO_BOX]))]
    if len(layer.layer_param.top) > 1:
        both = write("Concat", rois, write("Unsqueeze", score, write.ints([1])), axis=1)
        tops.append(rows_or(write, both, write.floats(np.zeros((1, 6)))))
    return [write.four_axes(top, 2) for top in tops]


@converts("DecodeBBox")
def decode_bbox(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, DecodeBBox)
    if layer.phase == TRAIN:
        raise layer.error("cannot be exported to ONNX in phase TRAIN, in which it leaves out RoIs")
    offsets, rois = write.reshape(bottoms[0], -1, 8), write.reshape(bottoms[1], -1, 5)
    parts = [write.slice(offsets, i, i + 1, 1) for i in range(4, 8)]
    image, *corners = (write.slice(rois, i, i + 1, 1) for i in range(5))
    moved = write("Concat", image, *moved_corners(write, layer.regression, corners, parts), axis=1)
    return [write.four_axes(moved, 2)]


def moved_corners(
    write: Operators, regression: BBoxReg, corners: Sequence[str], parts: Sequence[str]
) -> list[str]:
    """x1, y1, x2, y2 of the boxes to which normalized offsets lead from those with these corners."""
    parts, one, half = _restored(write, regression, parts), write.floats(1), write.floats(0.5)
    sides = []
    for i in range(2):
        low, high = corners[i::2]
        size = write("Add", write("Sub", high, low), one)
        new = write("Mul", size, write("Exp", parts[i + 2]))
        centre = write("Add", write("Mul", parts[i], size), write("Mul", half, write("Add", high, low)))
        start = write("Sub", centre, write("Mul", write("Sub", new, one), half))
        sides.append((start, write("Sub", write("Add", start, new), one)))
    return [sides[i][j] for j in range(2) for i in range(2)]


@converts("ScaleRoute")
def scale_route(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ScaleRoute)
    rois = write.reshape(bottoms[0], -1, 5)
    size = write("Sub", write.slice(rois, 3, 5, 1), write.slice(rois, 1, 3, 1))
    sides = write("Where", write("Less", size, write.floats(0)), size, write("Add", size, write.floats(1)))
    sides = write("Max", sides, write.floats(0))
    scale = write("Sqrt", write("ReduceProd", sides, axes=[1], keepdims=0))
    fits = write("GreaterOrEqual", scale, write.floats(layer.low))
    if np.isfinite(layer.high):
        fits = write("And", fits, write("Less", scale, write.floats(layer.high)))
    octaves = write("Abs", write("Log", write("Div", scale, write.floats(layer.middle))))
    nearest = write("ArgMin", octaves, axis=0, keepdims=1)
    chosen = rows_or(write, write("Squeeze", write("NonZero", fits), write.ints([0])), nearest)
    return [write.four_axes(write("Gather", x, chosen, axis=0), write.axes[x]) for x in bottoms]
