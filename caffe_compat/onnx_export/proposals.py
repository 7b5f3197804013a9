"""The RoIs that a region proposal network proposes, by ONNX's NonMaxSuppression."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.rpn.proposal import ProposalLayer
from caffe_compat.layers.rpn.proposal_of_caffe import Proposal
from caffe_compat.layers.rpn.rproi import RPROI
from caffe_compat.layers.rpn.text_proposal import TextProposalLayer
from caffe_compat.onnx_export.choosing import best_apart
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import END, LOWEST, Operators
from caffe_compat.onnx_export.rois import pooled


@converts("ProposalLayer")
def proposal_layer(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ProposalLayer)
    phase = layer.phase
    deltas = _by_place(write, bottoms[1], 4)
    if layer.normalized_deltas[phase]:
        deltas = write("Mul", deltas, write.floats(layer.normalize_stds))
        deltas = write("Add", deltas, write.floats(layer.normalize_means))
    height, width, scale = (write.slice(bottoms[2], i, i + 1, 1) for i in range(3))
    boxes = _boxes(write, layer.anchors, layer.stride, bottoms[1], deltas, (width, height))
    least = write("Mul", scale, write.floats(layer.min_size[phase]))
    large = _are_large(write, boxes, least, least)
    scores = write("Where", large, _foreground(write, bottoms[0], len(layer.anchors)), write.floats(LOWEST))
    limits = layer.pre_nms_top_n[phase], layer.post_nms_top_n[phase], layer.nms_thresh[phase]
    rois, score = _best_apart(write, boxes, scores, *limits)
    return [rois, write("Unsqueeze", score, write.ints([1]))][: len(layer.layer_param.top)]


@converts("Proposal")
def proposal(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Proposal)
    param = layer.param
    sizes = write("Flatten", bottoms[2], axis=1)
    height, width, scale = (write.slice(sizes, i, i + 1, 1) for i in range(3))
    scale_of_width = write.slice(write.slice(sizes, 2, 4, 1), -1, END, 1)
    deltas = _by_place(write, bottoms[1], 4)
    boxes = _boxes(write, layer.anchors, param.feat_stride, bottoms[1], deltas, (width, height))
    least = (write("Mul", of, write.floats(param.min_size)) for of in (scale_of_width, scale))
    large = write.cast(_are_large(write, boxes, *least), np.float32)
    scores = write("Mul", _foreground(write, bottoms[0], len(layer.anchors)), large)
    tops = _best_apart(write, boxes, scores, param.pre_nms_topn, param.post_nms_topn, param.nms_thresh)
    return list(tops[: len(layer.layer_param.top)])


@converts("RPROI")
def rproi(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, RPROI)
    param, maps = layer.param, bottoms[2]
    sizes = write("Flatten", bottoms[3], axis=1)
    height, width, scale = (write.slice(sizes, i, i + 1, 1) for i in range(3))
    boxes = _boxes(
        write,
        layer.anchors,
        param.feature_stride,
        bottoms[1],
        _by_place(write, bottoms[1], 4),
        (width, height),
    )
    least = write("Mul", scale, write.floats(param.min_box_size))
    large = _are_large(write, boxes, least, least)
    scores = write("Where", large, _foreground(write, bottoms[0], len(layer.anchors)), write.floats(LOWEST))
    rois, _ = _best_apart(write, boxes, scores, param.prenms_top, param.nms_max_out, param.iou_threshold)
    return [rois, pooled(write, maps, rois, layer.layer_param.roi_pooling_param)]


@converts("TextProposalLayer")
def text_proposal_layer(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, TextProposalLayer)
    anchors, steps = layer.anchors, _by_place(write, bottoms[1], 2)
    left, wide = _anchors(write, anchors[:, ::2], layer.stride, bottoms[1], 0)
    upper, high = _anchors(write, anchors[:, 1::2], layer.stride, bottoms[1], 1)
    one, half = write.floats(1), write.floats(0.5)
    new = write("Mul", write("Exp", write.slice(steps, 1, 2, 2)), high)
    centre = write("Add", upper, write("Mul", half, write("Sub", high, one)))
    centre = write("Add", write("Mul", write.slice(steps, 0, 1, 2), high), centre)
    upper = write("Sub", centre, write("Mul", half, new))
    right = write("Add", left, write("Sub", wide, one))
    boxes = write("Concat", left, upper, right, write("Add", upper, new), axis=2)
    last = write("Sub", write("Gather", bottoms[2], write.ints([1, 0, 1, 0]), axis=1), one)
    boxes = write("Max", write("Min", boxes, last), write.floats(0))
    scores = _foreground(write, bottoms[0], len(anchors))
    return [write.reshape(boxes, -1, 4), write.reshape(scores, -1, 1)]


def _by_place(write: Operators, maps: str, each: int) -> str:
    """N x HWA x each, from N x A * each x H x W."""
    return write.reshape(write("Transpose", maps, perm=[0, 2, 3, 1]), 0, -1, each)


def _foreground(write: Operators, probabilities: str, anchors: int) -> str:
    """N x HWA."""
    second = write.slice(probabilities, anchors, 2 * anchors, 1)
    return write.reshape(write("Transpose", second, perm=[0, 2, 3, 1]), 0, -1)


def _boxes(
    write: Operators, anchors: np.ndarray, stride: float, maps: str, deltas: str, image: tuple[str, str]
) -> str:
    """N x HWA x 4: where the deltas lead from the anchors, clipped to the images of these widths and heights."""
    sides = [
        _sides(write, anchors[:, i::2], stride, maps, deltas, i, write("Unsqueeze", size, write.ints([1])))
        for i, size in enumerate(image)
    ]
    return write("Concat", *(sides[i][j] for j in range(2) for i in range(2)), axis=2)


def _sides(
    write: Operators, ends: np.ndarray, stride: float, maps: str, deltas: str, i: int, size: str
) -> tuple[str, str]:
    """Where the boxes begin and end along x (i = 0) or y, N x HWA x 1. ends: A x 2, of the anchors."""
    start, wide = _anchors(write, ends, stride, maps, i)
    half = write.floats(0.5)
    centre = write("Add", start, write("Mul", half, wide))
    centre = write("Add", write("Mul", write.slice(deltas, i, i + 1, 2), wide), centre)
    growth = write("Exp", write.slice(deltas, i + 2, i + 3, 2))
    reach = write("Mul", half, write("Mul", growth, wide))
    last = write("Sub", size, write.floats(1))
    low, high = (
        write("Max", write("Min", write(sign, centre, reach), last), write.floats(0))
        for sign in ("Sub", "Add")
    )
    return low, high


def _anchors(write: Operators, ends: np.ndarray, stride: float, maps: str, i: int) -> tuple[str, str]:
    """Where the anchors at every pixel of the maps start along x (i = 0) or y, and how wide they are, 1 x HWA x 1."""
    steps = write("Mul", write.places(maps, 3 - i), write.floats(stride))
    steps = write("Unsqueeze", steps, write.ints([0, 2] if i == 0 else [1, 2]))
    places = write("Concat", write.dims(maps, 2, 4), write.ints([len(ends)]), axis=0)
    wide = ends[:, 1] - ends[:, 0] + np.float32(1)
    start = write("Expand", write("Add", steps, write.floats(ends[:, 0])), places)
    wide = write("Expand", write.floats(wide), places)
    return write.reshape(start, 1, -1, 1), write.reshape(wide, 1, -1, 1)


def _are_large(write: Operators, boxes: str, least_width: str, least_height: str) -> str:
    """Which boxes are so wide and high, N x HWA."""
    low, high = (write.slice(boxes, i, i + 2, 2) for i in (0, 2))
    sides = write("Add", write("Sub", high, low), write.floats(1))
    flags = [
        write("GreaterOrEqual", write("Squeeze", write.slice(sides, i, i + 1, 2), write.ints([2])), least)
        for i, least in enumerate((least_width, least_height))
    ]
    return write("And", *flags)


def _best_apart(
    write: Operators, boxes: str, scores: str, before: int, after: int, threshold: float
) -> tuple[str, str]:
    """As best_apart; of equal scores the last is the best."""
    boxes, scores = (write.reverse(x, 1) for x in (boxes, scores))
    return best_apart(write, boxes, scores, before, after, threshold)
