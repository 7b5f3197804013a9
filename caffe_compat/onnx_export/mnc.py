"""Layers that take the bilinear samples of maps at lines across them: MNC's, and OpenPose's cubic ones."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.mnc.mask_resize import MaskResize
from caffe_compat.layers.mnc.roi_warping import ROIWarping
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.rois import column, rounded
from caffe_compat.onnx_export.sampling import around, picked


@converts("ROIWarping")
def roi_warping(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ROIWarping)
    maps, rois = bottoms[0], write.reshape(bottoms[1], -1, 5)
    values = write("Transpose", maps, perm=[0, 2, 3, 1])
    image = write("Unsqueeze", write.cast(column(write, rois, 0), np.int64), write.ints([2]))
    lines = []
    for i, bins in zip((1, 0), layer.sizes, strict=True):
        first, last = (
            rounded(write, write("Mul", column(write, rois, corner), write.floats(layer.scale)))
            for corner in (1 + i, 3 + i)
        )
        size = write("Max", write("Sub", last, first), write.floats(0))
        step = write("Div", size, write.floats(bins))
        places = write("Add", first, write("Mul", write.floats(np.arange(bins)), step))
        lines.append(write("Unsqueeze", places, write.ints([1 + i])))
    rows, columns = lines
    total = None
    ends = [write.size(maps, axis) for axis in (2, 3)]
    inside = write("And", *(_inside(write, *line) for line in zip(lines, ends, strict=True)))
    last_row, last_column = (write("Sub", end, write.floats(1)) for end in ends)
    for row, of_row in around(write, rows, last_row):
        for pixel, of_column in around(write, columns, last_column):
            weight = write("Unsqueeze", write("Mul", of_row, of_column), write.ints([3]))
            part = write("Mul", weight, picked(write, values, image, row, pixel))
            total = part if total is None else write("Add", total, part)
    assert total is not None
    samples = write("Where", write("Unsqueeze", inside, write.ints([3])), total, write.floats(0))
    return [write("Transpose", samples, perm=[0, 3, 1, 2])]


@converts("MaskPooling")
def mask_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Mul", *bottoms)]


@converts("MaskResize")
def mask_resize(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, MaskResize)
    param, x = layer.layer_param.mask_resize_param, bottoms[0]
    for axis, factor, fixed in (
        (2, param.factor_height, param.output_height),
        (3, param.factor_width, param.output_width),
    ):
        size, count = write.size(x, axis), write.ints([fixed])
        if factor > 0:
            count = write.cast(write("Mul", size, write.floats(factor)), np.int64)
        ratio = write("Div", size, write.cast(count, np.float32))
        places = write("Mul", write.cast(write.count_up(count), np.float32), ratio)
        x = _on_line(write, x, axis, places, size)
    return [x]


def _on_line(write: Operators, x: str, axis: int, places: str, size: str) -> str:
    """Maps at places along an axis; 0 where one is more than half a pixel outside."""
    behind = write.ints([1] if axis == 2 else [0])
    total = None
    for pixel, weight in around(write, places, write("Sub", size, write.floats(1))):
        part = write("Mul", write("Gather", x, pixel, axis=axis), write("Unsqueeze", weight, behind))
        total = part if total is None else write("Add", total, part)
    assert total is not None
    return write("Where", write("Unsqueeze", _inside(write, places, size), behind), total, write.floats(0))


def _inside(write: Operators, places: str, size: str) -> str:
    """Which places are at most half a pixel outside of an axis."""
    end = write("Sub", size, write.floats(0.5))
    return write(
        "And", write("GreaterOrEqual", places, write.floats(-0.5)), write("LessOrEqual", places, end)
    )
