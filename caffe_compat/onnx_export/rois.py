"""ROIPooling and ROIMaskPooling, of basic operators.

MaxRoiPool is not in OpenCV. Here the bins of all RoIs are computed first, in float32 as Caffe does; then a Loop takes
the maxima of one RoI after the other: over the rows of each bin, then over the columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.roi_mask_pooling import MOVED, WHOLE, ROIMaskPooling
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.prototxt.caffe_pb2 import ROIPoolingParameter

ROWS, COLUMNS = 2, 3  # axes of the maps


@dataclass(frozen=True)
class Bins:
    """Bins along an axis: how many; for all RoIs, R x count, where they start and end, and which have pixels."""

    count: int
    starts: str
    ends: str
    have_pixels: str


@converts("ROIPooling")
def roi_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.roi_pooling_param
    rois = grown(write, write.reshape(bottoms[1], -1, 5), param.pad_ratio)
    return [pooled(write, bottoms[0], rois, param)]


@converts("ROIMaskPooling")
def roi_mask_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ROIMaskPooling)
    param, half = layer.param, write.floats(0.5)
    rois = write.reshape(bottoms[1], -1, 5)
    low, high = write.slice(rois, 1, 3, 1), write.slice(rois, 3, 5, 1)
    centre = write("Mul", write("Add", low, high), half)
    scaled = write("Mul", write("Sub", high, low), write.floats(np.float32(param.roi_scale)))
    reach = write("Mul", scaled, half)
    corners = [
        write.slice(write(sign, centre, reach), i, i + 1, 1) for sign in ("Sub", "Add") for i in range(2)
    ]
    if param.half_part != WHOLE:
        side = MOVED[param.half_part]
        corners[side] = write.slice(centre, side % 2, side % 2 + 1, 1)
    places = affine(write, write("Concat", *corners, axis=1), param.spatial_scale, param.spatial_shift)
    regions = write("Concat", column(write, rois, 0), rounded(write, places), axis=1)
    return [pooled(write, bottoms[0], regions, layer.pooling.layer_param.roi_pooling_param)]


def pooled(write: Operators, maps: str, rois: str, param: ROIPoolingParameter) -> str:
    """R x C x pooled_h x pooled_w: the maxima in the bins of R x 5 RoIs."""
    image = write("Cast", column(write, rois, 0), to=TensorProto.INT64)
    scaled = write("Mul", rois, write.floats(np.float32(param.spatial_scale)))
    places = rounded(write, scaled)
    rows = bins_of(write, maps, places, (2, 4), param.pooled_h, ROWS)
    columns = bins_of(write, maps, places, (1, 3), param.pooled_w, COLUMNS)
    maxima = _for_each_roi(write, maps, image, rows, columns)
    is_there = write(
        "And",
        write("Unsqueeze", rows.have_pixels, write.ints([1, 3])),
        write("Unsqueeze", columns.have_pixels, write.ints([1, 2])),
    )
    return write("Where", is_there, maxima, write.floats(0))


def grown(write: Operators, rois: str, pad_ratio: float) -> str:
    """The RoIs with each side moved out by pad_ratio of the width, or height."""
    if not pad_ratio:
        return rois
    image, low, high = (
        write("Gather", rois, write.ints(columns), axis=1) for columns in ([0], [1, 2], [3, 4])
    )
    size = write("Add", write("Sub", high, low), write.floats(1))
    pad = write("Mul", size, write.floats(np.float32(pad_ratio)))
    return write("Concat", image, write("Sub", low, pad), write("Add", high, pad), axis=1)


def column(write: Operators, rois: str, index: int) -> str:
    """One number of each RoI, R x 1."""
    return write("Gather", rois, write.ints([index]), axis=1)


def rounded(write: Operators, x: str) -> str:
    """Half away from zero: ONNX's Round goes to even."""
    size = write("Abs", x)
    floor = write("Floor", size)
    is_up = write("GreaterOrEqual", write("Sub", size, floor), write.floats(0.5))
    rounded = write("Add", floor, write("Cast", is_up, to=TensorProto.FLOAT))
    return write("Mul", write("Sign", x), rounded)


def bins_of(write: Operators, maps: str, places: str, corners: tuple[int, int], bins: int, axis: int) -> Bins:
    """The bins along an axis of the maps; one without pixels gets one, so that there is a maximum to take."""
    first, last = (column(write, places, corner) for corner in corners)
    one = write.floats(1)
    size = write("Max", write("Add", write("Sub", last, first), one), one)
    size = write("Div", size, write.floats(bins))
    limit = write.size(maps, axis)
    low = write("Floor", write("Mul", size, write.floats([np.arange(bins)])))
    high = write("Ceil", write("Mul", size, write.floats([np.arange(1, bins + 1)])))
    start, end = (_clipped(write, write("Add", edge, first), limit) for edge in (low, high))
    have_pixels = write("Greater", end, start)
    start = write("Min", start, write("Sub", limit, one))
    end = write("Max", end, write("Add", start, one))
    return Bins(bins, _int(write, start), _int(write, end), have_pixels)


def _clipped(write: Operators, edge: str, limit: str) -> str:
    return write("Min", write("Max", edge, write.floats(0)), limit)


def _int(write: Operators, x: str) -> str:
    return write("Cast", x, to=TensorProto.INT64)


def _for_each_roi(write: Operators, maps: str, image: str, rows: Bins, columns: Bins) -> str:
    """R x C x rows x columns: the maxima."""
    count = write("Squeeze", write.dims(image, 0, 1), write.ints([0]))
    go_on = write("Cast", write.ints(1), to=TensorProto.BOOL)
    body = _body(write, maps, image, rows, columns)
    return write.many("Loop", 2, count, go_on, write.ints(0), body=body)[1]


def _body(write: Operators, maps: str, image: str, rows: Bins, columns: Bins) -> onnx.GraphProto:
    """One turn of the loop. It counts the RoIs itself: the number of the turn is wrong in OpenCV 5.0."""
    inner = Operators(onnx.GraphProto(name=f"{write.scope}: one RoI"), write.fresh(f"{write.scope}:loop"))
    turn, go_on, roi = (f"{inner.scope}:{name}" for name in ("turn", "go_on", "roi"))
    number = inner("Gather", image, roi, axis=0)
    top, bottom = _of_roi(inner, rows, roi)
    left, right = _of_roi(inner, columns, roi)
    begin = inner("Concat", number, top[0], left[0], axis=0)
    end = inner("Concat", inner("Add", number, inner.ints([1])), bottom[-1], right[-1], axis=0)
    region = inner("Slice", maps, begin, end, inner.ints([0, ROWS, COLUMNS]))
    region = _maxima(inner, region, top, bottom, ROWS)
    region = _maxima(inner, region, left, right, COLUMNS)
    pooled = inner("Squeeze", region, inner.ints([0]))
    described = helper.make_tensor_value_info
    inner.graph.input.extend(
        [
            described(turn, TensorProto.INT64, []),
            described(go_on, TensorProto.BOOL, []),
            described(roi, TensorProto.INT64, []),
        ]
    )
    inner.graph.output.extend(
        [
            described(inner("Identity", go_on), TensorProto.BOOL, []),
            described(inner("Add", roi, inner.ints(1)), TensorProto.INT64, []),
            described(pooled, TensorProto.FLOAT, [None, rows.count, columns.count]),
        ]
    )
    return inner.graph


def _of_roi(write: Operators, bins: Bins, roi: str) -> tuple[list[str], list[str]]:
    """The starts and the ends of the bins of one RoI, each a vector of one number."""
    starts, ends = (
        write.many("Split", bins.count, write("Gather", edges, roi, axis=0), axis=0)
        if bins.count > 1
        else [write("Gather", edges, roi, axis=0)]
        for edges in (bins.starts, bins.ends)
    )
    return starts, ends


def _maxima(write: Operators, region: str, starts: list[str], ends: list[str], axis: int) -> str:
    """The maxima over each of the bins, which the region begins with, along one axis."""
    parts = []
    for start, end in zip(starts, ends, strict=True):
        begin, end = (write("Sub", edge, starts[0]) for edge in (start, end))
        part = write("Slice", region, begin, end, write.ints([axis]))
        parts.append(write("ReduceMax", part, axes=[axis], keepdims=1))
    return write("Concat", *parts, axis=axis)
