"""DeformableConvolution: the bent windows as columns, then a convolution of one place each."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.deformable_convolution import DeformableConvolution
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.sampling import Places, bilinear, within


@converts("DeformableConvolution")
def deformable_convolution(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, DeformableConvolution)
    maps, offsets = bottoms
    elements, groups, channels = layer.plain.geometry.elements, layer.groups, _channels(layer)
    places = _places(write, layer, offsets)  # N G x K H' W' each
    shape = write("Concat", write.ints([-1, channels // groups]), write.dims(maps, 2, 4), axis=0)
    values = bilinear(write, write("Reshape", maps, shape), places)
    ends = write.size(maps, 2), write.size(maps, 3)
    inside = write("Unsqueeze", within(write, places, ends, "Less"), write.ints([1]))
    values = write("Where", inside, values, write.floats(0))
    columns = write("Concat", write.ints([-1, channels * elements]), write.dims(offsets, 2, 4), axis=0)
    filters, *bias = layer.blobs
    rows = write.floats(filters.data.reshape(filters.num, -1, 1, 1))
    columns = write("Reshape", values, columns)
    return [write("Conv", columns, rows, *map(write.param, bias), group=layer.plain.group)]


def _channels(layer: DeformableConvolution) -> int:
    """How many the maps have."""
    return layer.blobs[0].channels * layer.plain.group


def _places(write: Operators, layer: DeformableConvolution, offsets: str) -> Places:
    """Rows and columns of each element of the kernel at each place of the top."""
    kernel, stride, pad, dilation = layer.window
    shape = write(
        "Concat", write.ints([-1, layer.plain.geometry.elements, 2]), write.dims(offsets, 2, 4), axis=0
    )
    moves = write("Reshape", offsets, shape)  # N G x K x 2 x H' x W'
    result = []
    for i in (0, 1):
        of_element = np.indices(kernel)[i].reshape(-1, 1, 1) * dilation[i] - pad[i]
        places = write("Mul", write.places(offsets, 2 + i), write.floats(stride[i]))
        if i == 0:
            places = write("Unsqueeze", places, write.ints([1]))
        start = write("Add", places, write.floats(of_element))
        moved = write("Add", start, write("Gather", moves, write.ints(i), axis=2))
        result.append(write.reshape(moved, 0, -1))
    return result[0], result[1]
