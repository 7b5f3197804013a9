"""The way back of a pooling: Unpooling, and what Upsample with a mask has of it."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.segmentation.unpooling import Unpooling
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.prototxt.caffe_pb2 import UnpoolingParameter

Pair = tuple[int, int]


@converts("Unpooling")
def unpooling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Unpooling)
    param, x = layer.layer_param.unpooling_param, bottoms[0]
    counts = write.dims(x, 2, 4)
    if layer.sizes:
        sizes = write.ints(layer.sizes)
    elif param.scale:
        sizes = write("Mul", counts, write.ints([param.scale]))
    else:  # kernel (n + 1) - stride
        kernel, stride = np.array(layer.kernel), np.array(layer.stride)
        sizes = write("Add", write("Mul", counts, write.ints(kernel)), write.ints(kernel - stride))
    if param.unpool == UnpoolingParameter.MAX:
        mask = bottoms[1] if len(bottoms) > 1 else _first_pixels(write, x, layer.stride, sizes)
        return [scattered(write, x, mask, sizes)]
    if param.unpool == UnpoolingParameter.AVE:
        x = write("Div", x, _window_sizes(write, x, layer, sizes))
    return [_spread(write, x, layer, sizes)]


def scattered(write: Operators, x: str, mask: str, sizes: str) -> str:
    """Each element of x where the mask says, within maps of these sizes; 0 elsewhere."""
    planes = write.dims(x, 0, 2)
    pixels = write("ReduceProd", sizes, axes=[0], keepdims=1)
    nothing = write("Expand", write.floats(0), write("Concat", planes, pixels, axis=0))
    flat = write.reshape(x, 0, 0, -1)
    places = write.cast(write.reshape(mask, 0, 0, -1), np.int64)
    found = write("ScatterElements", nothing, places, flat, axis=2)
    return write("Reshape", found, write("Concat", planes, sizes, axis=0))


def _starts(write: Operators, x: str, stride: Pair, i: int) -> str:
    """Where the windows of x start along y (i = 0) or x."""
    return write("Mul", write.count_up(write.dims(x, 2 + i, 3 + i)), write.ints(stride[i]))


def _first_pixels(write: Operators, x: str, stride: Pair, sizes: str) -> str:
    """The first pixel of each window, or the last of the map, in the shape of x."""
    ends = [write.slice(sizes, i, i + 1, 0) for i in range(2)]
    rows, columns = (
        write("Min", _starts(write, x, stride, i), write("Sub", ends[i], write.ints([1]))) for i in range(2)
    )
    rows = write("Mul", write("Unsqueeze", rows, write.ints([1])), ends[1])
    return write("Expand", write("Add", rows, columns), write("Shape", x))


def _window_sizes(write: Operators, x: str, layer: Unpooling, sizes: str) -> str:
    """How many pixels each window has within the map, H x W, 1 where it has none."""
    heights, widths = (
        write(
            "Clip",
            write("Sub", write.slice(sizes, i, i + 1, 0), _starts(write, x, layer.stride, i)),
            write.ints(1),
            write.ints(layer.kernel[i]),
        )
        for i in range(2)
    )
    return write.cast(write("Mul", write("Unsqueeze", heights, write.ints([1])), widths), np.float32)


def _spread(write: Operators, x: str, layer: Unpooling, sizes: str) -> str:
    """Each element at all pixels of its window; of windows that overlap the sum. Maps of these sizes."""
    shape = write("Concat", write.ints([-1, 1]), write.dims(x, 2, 4), axis=0)
    ones = write.floats(np.ones((1, 1, *layer.kernel)))
    y = write("ConvTranspose", write("Reshape", x, shape), ones, strides=layer.stride)
    behind = write("Concat", write.ints([0] * 6), sizes, axis=0)
    y = write("Slice", write("Pad", y, behind), write.ints([0, 0]), sizes, write.ints([2, 3]))
    return write("Reshape", y, write("Concat", write.dims(x, 0, 2), sizes, axis=0))
