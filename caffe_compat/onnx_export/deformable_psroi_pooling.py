"""DeformablePSROIPooling: PSROIAlign's means in bins that are moved, over the samples inside of the map."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.deformable_psroi_pooling import DeformablePSROIPooling
from caffe_compat.layers.kernels.psroi_align import LEAST_SIZE
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.psroi_align import AXES, Samples, along, as_top, beside, sums_of
from caffe_compat.onnx_export.rois import column, rounded
from caffe_compat.onnx_export.sampling import around


@converts("DeformablePSROIPooling")
def deformable_psroi_pooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, DeformablePSROIPooling)
    param, maps, rois = layer.param, bottoms[0], write.reshape(bottoms[1], -1, 5)
    groups, moves = 1, [write.floats(np.zeros([1] * AXES))] * 2
    if len(bottoms) > 2:
        groups, moves = layer.groups, _moves(write, layer, bottoms[2])
    rows, columns = (_moved(write, layer, maps, rois, moves[i], i) for i in (1, 0))
    total, count = sums_of(write, maps, rois, rows, columns, param.group_size, groups)
    mean = write("Div", total, write("Max", count, write.floats(1)))
    return [as_top(write, mean, param.output_dim, param.group_size)]


def _moves(write: Operators, layer: DeformablePSROIPooling, offsets: str) -> list[str]:
    """How far each bin is moved right and down, in widths and heights of the RoI."""
    group = layer.param.group_size
    parts = layer.param.part_size or group
    of_bin = write.ints(np.arange(group) * parts // group)
    moves = write.reshape(offsets, 0, -1, 2, parts, parts)
    moves = write("Gather", write("Gather", moves, of_bin, axis=3), of_bin, axis=4)
    moves = write("Mul", moves, write.floats(layer.reach))
    one = write.ints([4, 5])
    return [write("Unsqueeze", write("Gather", moves, write.ints(i), axis=2), one) for i in (0, 1)]


def _moved(
    write: Operators, layer: DeformablePSROIPooling, maps: str, rois: str, move: str, i: int
) -> Samples:
    """The samples along x (i = 0) or y; those outside of the map do not count."""
    param, half = layer.param, write.floats(0.5)
    low, high = (beside(write, rounded(write, column(write, rois, corner))) for corner in (1 + i, 3 + i))
    start = write("Sub", write("Mul", low, write.floats(layer.scale)), half)
    end = write("Mul", write("Add", high, write.floats(1)), write.floats(layer.scale))
    size = write("Max", write("Sub", write("Sub", end, half), start), write.floats(LEAST_SIZE))
    of_bin = write("Div", size, write.floats(param.group_size))
    bins = along(write, np.arange(param.group_size), 2 + 1 - i)
    place = write("Add", write("Add", write("Mul", bins, of_bin), start), write("Mul", move, size))
    numbers = along(write, np.arange(param.sample_per_part), 4 + 1 - i)
    step = write("Div", of_bin, write.floats(param.sample_per_part))
    place = write("Add", place, write("Mul", numbers, step))
    limit, one = write.size(maps, 3 - i), write.floats([1])
    inside = write(
        "And",
        write("GreaterOrEqual", place, write.floats(-0.5)),
        write("LessOrEqual", place, write("Sub", limit, half)),
    )
    return Samples(around(write, place, write("Sub", limit, one)), inside)
