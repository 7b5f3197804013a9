"""ROIAlign and ROIAlignment, by ONNX's RoiAlign."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.roi_align import ROIAlign
from caffe_compat.layers.fast_rcnn.roi_alignment import ROIAlignment
from caffe_compat.layers.kernels.roi_align import AVERAGED, SAMPLES
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.rois import column, grown


@converts("ROIAlign")
def roi_align(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ROIAlign)
    maps, rois = bottoms[0], write.reshape(bottoms[1], -1, 5)
    image = write.cast(write("Squeeze", column(write, rois, 0), write.ints([1])), np.int64)
    sizes = dict(zip(("output_height", "output_width"), layer.tops, strict=True))
    if layer.form == AVERAGED:
        how = {"sampling_ratio": SAMPLES, "coordinate_transformation_mode": "output_half_pixel"}
        places = write.slice(rois, 1, 5, 1)
        return [write("RoiAlign", maps, places, image, spatial_scale=float(layer.scale), **how, **sizes)]
    rois = grown(write, rois, layer.pad_ratio)
    (top, bottom, is_row), (left, right, is_column) = (_grid(write, maps, rois, layer, i) for i in (1, 0))
    places = write("Concat", left, top, right, bottom, axis=1)
    how = {"sampling_ratio": 1, "coordinate_transformation_mode": "half_pixel"}
    points = write("RoiAlign", maps, places, image, **how, **sizes)
    is_inside = write(
        "And",
        write("Unsqueeze", is_row, write.ints([1, 3])),
        write("Unsqueeze", is_column, write.ints([1, 2])),
    )
    return [write("Where", is_inside, points, write.floats(0))]


@converts("ROIAlignment")
def roi_alignment(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    """Each sample is a region by itself, of no size: so it may lie anywhere in its bin."""
    assert isinstance(layer, ROIAlignment)
    maps, rois, (rows, columns) = bottoms[0], write.reshape(bottoms[1], -1, 5), layer.bins
    y = write("Unsqueeze", _middles(write, maps, rois, layer, 1), write.ints([2]))
    x = write("Unsqueeze", _middles(write, maps, rois, layer, 0), write.ints([1]))
    image = write("Unsqueeze", column(write, rois, 0), write.ints([2]))
    spread = write.floats(np.zeros((1, rows, columns)))
    y, x, image = (write.reshape(write("Add", values, spread), -1, 1) for values in (y, x, image))
    corner = write("Add", write("Concat", x, y, axis=1), write.floats(0.5))  # RoiAlign takes the half away
    how = {
        "sampling_ratio": 1,
        "coordinate_transformation_mode": "half_pixel",
        "output_height": 1,
        "output_width": 1,
    }
    image = write.cast(write("Squeeze", image, write.ints([1])), np.int64)
    samples = write("RoiAlign", maps, write("Concat", corner, corner, axis=1), image, **how)
    samples = write.reshape(write("Transpose", samples, perm=[1, 0, 2, 3]), 0, -1, rows, columns)
    return [write("Transpose", samples, perm=[1, 0, 2, 3])]


def _middles(write: Operators, maps: str, rois: str, layer: ROIAlignment, i: int) -> str:
    """Along x (i = 0) or y: where on the map the bins have their middles, R x bins."""
    count = layer.bins[1 - i]
    first, last = (
        write("Mul", column(write, rois, corner), write.floats(layer.scale)) for corner in (1 + i, 3 + i)
    )
    one, end = write.floats(1), write("Sub", write.cast(write.size(maps, 3 - i), np.float32), write.floats(1))
    size = write("Div", write("Max", write("Add", write("Sub", last, first), one), one), write.floats(count))
    sides = write("Add", write("Mul", write.floats([np.arange(count + 1)]), size), first)
    sides = write("Min", write("Max", sides, write.floats(0)), end)
    both = write("Add", write.slice(sides, 0, count, 1), write.slice(sides, 1, count + 1, 1))
    return write("Div", both, write.floats(2))


def _grid(write: Operators, maps: str, rois: str, layer: ROIAlign, i: int) -> tuple[str, str, str]:
    """Along x (i = 0) or y: the sides, R x 1, of regions whose bins have the grid's points in their middles; and which
    lines of the grid have numbers, R x count."""
    count, half = layer.tops[1 - i], write.floats(0.5)
    first, last = (
        write("Sub", write("Mul", column(write, rois, corner), write.floats(layer.scale)), half)
        for corner in (1 + i, 3 + i)
    )
    size = write("Sub", last, first)
    step = write("Div", size, write.floats(count - 1))
    lines = write("Add", first, write("Mul", write.floats([np.arange(count)]), step))
    end = write("Sub", write.size(maps, 3 - i), half)
    is_inside = write(
        "And",
        write("Greater", size, write.floats(0)),
        write("And", write("GreaterOrEqual", lines, write.floats(-0.5)), write("LessOrEqual", lines, end)),
    )
    reach = write("Mul", step, half)
    low = write("Add", write("Sub", first, reach), half)  # RoiAlign takes the half away
    high = write("Add", write("Add", last, reach), half)
    return low, high, is_inside
