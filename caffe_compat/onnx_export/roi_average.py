"""ROIAveragePooling: the sum over a bin is one of four corners of the sums from the map's corner on, in float64."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.roi_average_pooling import ROIAveragePooling
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.rois import COLUMNS, ROWS, bins_of, column, rounded
from caffe_compat.onnx_export.sampling import picked


@converts("ROIAveragePooling")
def roi_average_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ROIAveragePooling)
    maps, rois = bottoms[0], write.reshape(bottoms[1], -1, 5)
    image = write("Unsqueeze", write.cast(column(write, rois, 0), np.int64), write.ints([2]))
    places = rounded(write, write("Mul", rois, write.floats(layer.scale)))
    rows = bins_of(write, maps, places, (2, 4), layer.bins[0], ROWS)
    columns = bins_of(write, maps, places, (1, 3), layer.bins[1], COLUMNS)
    tops, ends = (write("Unsqueeze", edge, write.ints([2])) for edge in (rows.starts, rows.ends))
    lefts, rights = (write("Unsqueeze", edge, write.ints([1])) for edge in (columns.starts, columns.ends))
    sums = _sums(write, maps)
    parts = [
        picked(write, sums, image, y, x)
        for y, x in ((ends, rights), (tops, lefts), (tops, rights), (ends, lefts))
    ]
    total = write("Sub", write("Add", *parts[:2]), write("Add", *parts[2:]))
    area = write("Mul", write("Sub", ends, tops), write("Sub", rights, lefts))
    area = write("Unsqueeze", write.cast(area, np.float64), write.ints([3]))
    is_there = write(
        "And",
        write("Unsqueeze", rows.have_pixels, write.ints([2, 3])),
        write("Unsqueeze", columns.have_pixels, write.ints([1, 3])),
    )
    mean = write("Where", is_there, write.cast(write("Div", total, area), np.float32), write.floats(0))
    return [write("Transpose", mean, perm=[0, 3, 1, 2])]


def _sums(write: Operators, maps: str) -> str:
    """N x H + 1 x W + 1 x C: the sum of what lies above and left of each place."""
    sums = write.cast(write("Transpose", maps, perm=[0, 2, 3, 1]), np.float64)
    for axis in (1, 2):
        sums = write("CumSum", sums, write.ints(axis))
    return write("Pad", sums, write.ints([0, 1, 1, 0] + [0] * 4))
