"""PSROIPooling, of basic operators: the sum over a bin is one of four corners of the sums from the map's corner on.

The sums are taken in float64, as differences of large ones would lose what a bin has.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.psroi_pooling import LEAST_SIZE
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.rois import column, rounded

ROWS, COLUMNS = 4, 5  # axes of the maps, N x D x G x G x H x W


@converts("PSROIPooling")
def psroi_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.psroi_pooling_param
    outputs, group, scale = param.output_dim, param.group_size, np.float32(param.spatial_scale)
    rois = write.reshape(bottoms[1], -1, 5)
    rows, columns = (
        [
            write("Unsqueeze", edge, write.ints([axis]))
            for edge in _edges(write, rois, corners, group, scale, limit)
        ]
        for corners, limit, axis in (
            ((2, 4), write.dims(bottoms[0], 2, 3), 2),
            ((1, 3), write.dims(bottoms[0], 3, 4), 1),
        )
    )
    sums = _sums(write, bottoms[0], outputs, group)
    image = write.cast(write("Unsqueeze", column(write, rois, 0), write.ints([2])), np.int64)
    parts = {(i, j): _corners(write, sums, image, rows[i], columns[j], group) for i in (0, 1) for j in (0, 1)}
    total = write("Sub", write("Add", parts[0, 0], parts[1, 1]), write("Add", parts[0, 1], parts[1, 0]))
    high, wide = (write("Sub", edges[1], edges[0]) for edges in (rows, columns))
    area = write("Max", write("Mul", high, wide), write.ints(1))
    has_pixels = write("And", write("Greater", high, write.ints(0)), write("Greater", wide, write.ints(0)))
    area, has_pixels = (write("Unsqueeze", x, write.ints([3])) for x in (area, has_pixels))
    mean = write("Div", total, write.cast(area, np.float64))
    mean = write("Where", has_pixels, write.cast(mean, np.float32), write.floats(0))
    return [write("Transpose", mean, perm=[0, 3, 1, 2])]


def _edges(
    write: Operators, rois: str, corners: tuple[int, int], group: int, scale: np.float32, limit: str
) -> tuple[str, str]:
    """Where the bins of each RoI begin and end along an axis, R x G; clipped to the map."""
    first, last = (rounded(write, column(write, rois, corner)) for corner in corners)
    start = write("Mul", first, write.floats(scale))
    end = write("Mul", write("Add", last, write.floats(1)), write.floats(scale))
    size = write("Div", write("Max", write("Sub", end, start), write.floats(LEAST_SIZE)), write.floats(group))
    bins = np.arange(group + 1)
    low = write("Floor", write("Add", write("Mul", size, write.floats(bins[:-1])), start))
    high = write("Ceil", write("Add", write("Mul", size, write.floats(bins[1:])), start))
    limit = write.cast(limit, np.float32)
    clipped = (write("Min", write("Max", edge, write.floats(0)), limit) for edge in (low, high))
    first, last = (write.cast(edge, np.int64) for edge in clipped)
    return first, last


def _sums(write: Operators, maps: str, outputs: int, group: int) -> str:
    """N x G x G x H + 1 x W + 1 x D: the sum of what lies above and left of each place."""
    shape = write("Concat", write.ints([0, outputs, group, group]), write.dims(maps, 2, 4), axis=0)
    sums = write.cast(write("Reshape", maps, shape), np.float64)
    for axis in (ROWS, COLUMNS):
        sums = write("CumSum", sums, write.ints(axis))
    sums = write("Pad", sums, write.ints([0] * 4 + [1, 1] + [0] * 6))
    return write("Transpose", sums, perm=[0, 2, 3, 4, 5, 1])


def _corners(write: Operators, sums: str, image: str, row: str, column: str, group: int) -> str:
    """R x G x G x D: the sums up to a row (R x G x 1) and a column (R x 1 x G) of each bin's image (R x 1 x 1)."""
    shape = write("Shape", write("Add", row, column))
    bins = np.arange(group)
    parts = image, write.ints(bins[:, None]), write.ints(bins), row, column
    places = (write("Unsqueeze", write("Expand", part, shape), write.ints([3])) for part in parts)
    return write("GatherND", sums, write("Concat", *places, axis=3))
