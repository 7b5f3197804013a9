"""ROIAlign, by ONNX's RoiAlign."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.roi_align import ROIAlign
from caffe_compat.layers.kernels.roi_align import GRID, SAMPLES
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.rois import column, grown


@converts("ROIAlign")
def roi_align(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ROIAlign)
    maps, rois = bottoms[0], write.reshape(bottoms[1], -1, 5)
    image = write.cast(write("Squeeze", column(write, rois, 0), write.ints([1])), np.int64)
    sizes = dict(zip(("output_height", "output_width"), layer.tops, strict=True))
    if layer.samples == SAMPLES:
        how = {"sampling_ratio": SAMPLES, "coordinate_transformation_mode": "output_half_pixel"}
        places = write.slice(rois, 1, 5, 1)
        return [write("RoiAlign", maps, places, image, spatial_scale=float(layer.scale), **how, **sizes)]
    rois = grown(write, rois, layer.pad_ratio)
    (top, bottom, is_row), (left, right, is_column) = (_grid(write, maps, rois, layer, i) for i in (1, 0))
    places = write("Concat", left, top, right, bottom, axis=1)
    how = {"sampling_ratio": GRID, "coordinate_transformation_mode": "half_pixel"}
    points = write("RoiAlign", maps, places, image, **how, **sizes)
    is_inside = write(
        "And",
        write("Unsqueeze", is_row, write.ints([1, 3])),
        write("Unsqueeze", is_column, write.ints([1, 2])),
    )
    return [write("Where", is_inside, points, write.floats(0))]


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
