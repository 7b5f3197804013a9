"""PSROIAlign: means of bilinear samples in bins, each in a channel of its own; DeformablePSROIPooling takes such too.

Values of the samples along one axis have the axes R x K x G x G x S x S, or 1 where they do not differ: RoIs, groups of
outputs that are moved alike, bins down and right, samples down and right.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.psroi_align import PSROIAlign
from caffe_compat.layers.kernels.psroi_align import LEAST_SIZE
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.rois import column
from caffe_compat.onnx_export.sampling import around, picked

AXES = 6


@dataclass(frozen=True)
class Samples:
    """Along an axis of the maps: the two pixels around each sample with their weights, and which samples count."""

    pixels: tuple[tuple[str, str], tuple[str, str]]
    count: str


@converts("PSROIAlign")
def psroi_align(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PSROIAlign)
    maps, rois = bottoms[0], write.reshape(bottoms[1], -1, 5)
    rows, columns = (_in_bins(write, layer, maps, rois, i) for i in (1, 0))
    total, _ = sums_of(write, maps, rois, rows, columns, layer.group, 1)
    mean = write("Div", total, write.floats(layer.samples**2))
    return [as_top(write, mean, layer.outputs, layer.group)]


def _in_bins(write: Operators, layer: PSROIAlign, maps: str, rois: str, i: int) -> Samples:
    """The samples along x (i = 0) or y; one that the map's end pushes out of its bin is none."""
    bins = along(write, np.arange(layer.group), 2 + 1 - i)
    last = write("Sub", write.size(maps, 3 - i), write.floats([1]))
    low, high = (beside(write, column(write, rois, corner)) for corner in (1 + i, 3 + i))
    start = write("Mul", low, write.floats(layer.scale))
    end = write("Mul", write("Add", high, write.floats(1)), write.floats(layer.scale))
    size = write("Max", write("Sub", end, start), write.floats(LEAST_SIZE))
    size = write("Div", size, write.floats(layer.group))
    near = write("Add", write("Mul", bins, size), start)
    far = write("Add", write("Mul", write("Add", bins, write.floats(1)), size), start)
    near, far = (write("Min", write("Max", edge, write.floats(0)), last) for edge in (near, far))
    step = write("Div", size, write.floats(layer.samples + 1))
    numbers = along(write, np.arange(1, layer.samples + 1), 4 + 1 - i)
    places = write("Add", near, write("Mul", numbers, step))
    return Samples(around(write, places, last), write("Less", places, far))


def along(write: Operators, numbers: np.ndarray, axis: int) -> str:
    """Numbers along one of the axes."""
    return write.floats(numbers.reshape([-1 if i == axis else 1 for i in range(AXES)]))


def beside(write: Operators, numbers: str) -> str:
    """A number of each RoI, R x 1, with the other axes behind."""
    return write("Unsqueeze", numbers, write.ints(list(range(2, AXES))))


def sums_of(
    write: Operators, maps: str, rois: str, rows: Samples, columns: Samples, group: int, groups: int
) -> tuple[str, str]:
    """R x K x G x G x outputs / K: the sum of each bin's samples that count, and how many these are."""
    parts = write("Concat", write.ints([0, groups, -1, group, group]), write.dims(maps, 2, 4), axis=0)
    values = write("Transpose", write("Reshape", maps, parts), perm=[0, 1, 3, 4, 5, 6, 2])
    image = write.cast(beside(write, column(write, rois, 0)), np.int64)
    bins = (
        np.arange(n).reshape([-1 if i == axis else 1 for i in range(AXES)])
        for axis, n in ((1, groups), (2, group), (3, group))
    )
    where = [image, *map(write.ints, bins)]
    counts = write.cast(write("And", rows.count, columns.count), np.float32)
    total = None
    for (row, of_row), (pixel, of_column) in itertools.product(rows.pixels, columns.pixels):
        weight = write("Mul", write("Mul", of_row, of_column), counts)
        part = write(
            "Mul", picked(write, values, *where, row, pixel), write("Unsqueeze", weight, write.ints([AXES]))
        )
        total = part if total is None else write("Add", total, part)
    assert total is not None
    samples = write.ints([4, 5])
    counts = write("Unsqueeze", counts, write.ints([AXES]))
    return write("ReduceSum", total, samples, keepdims=0), write("ReduceSum", counts, samples, keepdims=0)


def as_top(write: Operators, means: str, outputs: int, group: int) -> str:
    """R x outputs x G x G."""
    return write.reshape(write("Transpose", means, perm=[0, 1, 4, 2, 3]), 0, outputs, group, group)
