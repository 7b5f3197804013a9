"""Spatial transformers: bilinear samples at places of an affine grid, turns, and what a file adds."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.spatial_transformer.mirror_rotate import MirrorRotate
from caffe_compat.layers.spatial_transformer.power_file import PowerFile
from caffe_compat.layers.spatial_transformer.spatial_transformer import SpatialTransformer
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import Operators
from caffe_compat.onnx_export.sampling import bilinear


@converts("SpatialTransformer")
def spatial_transformer(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, SpatialTransformer)
    maps, param = bottoms[0], layer.layer_param.st_param
    thetas = _thetas(write, layer, bottoms[1])
    sizes = [
        write.ints([getattr(param, name)]) if param.HasField(name) else write.dims(maps, axis, axis + 1)
        for axis, name in ((2, "output_H"), (3, "output_W"))
    ]
    rows, columns = (
        affine(
            write,
            write("Div", write.cast(write.count_up(size), np.float32), write.cast(size, np.float32)),
            2,
            -1,
        )
        for size in sizes
    )
    rows = write("Unsqueeze", rows, write.ints([1]))
    around = write("Pad", maps, write.ints([0, 0, 1, 1] * 2))  # pixels outside count 0
    places = []
    for i, axis in ((0, 2), (3, 3)):
        of_row, of_column, shift = thetas[i : i + 3]
        place = write("Add", write("Mul", of_row, rows), write("Mul", of_column, columns))
        place = affine(write, write("Add", place, shift), shift=1)
        place = write("Mul", write("Mul", place, write.size(maps, axis)), write.floats(0.5))
        places.append(write.reshape(affine(write, place, shift=1), 0, -1))
    samples = bilinear(write, around, (places[0], places[1]))
    shape = write("Concat", write.dims(maps, 0, 2), *sizes, axis=0)
    return [write("Reshape", samples, shape)]


def _thetas(write: Operators, layer: SpatialTransformer, given: str) -> list[str]:
    """The six numbers of each image, N x 1 x 1 each, or one for all where st_param fixes it."""
    numbers = write.reshape(given, 0, -1, 1, 1) if layer.learned else ""
    learned = iter(range(layer.learned))
    return [
        write.floats(theta) if fixed else write("Gather", numbers, write.ints(next(learned)), axis=1)
        for theta, fixed in zip(layer.theta, layer.fixed, strict=True)
    ]


@converts("PowerFile")
def power_file(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PowerFile)
    return [write("Add", *bottoms, write.floats(layer.shift))]


@converts("MirrorRotate")
def mirror_rotate(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, MirrorRotate)
    x = bottoms[0]
    if layer.mirrors and not layer.is_back:
        x = write.reverse(x, 3)
    quarters = layer.quarters % 4
    for _ in range(4 - quarters if layer.is_back and quarters else quarters):  # each clockwise
        x = write("Transpose", write.reverse(x, 2), perm=[0, 1, 3, 2])
    if layer.mirrors and layer.is_back:
        x = write.reverse(x, 3)
    return [write("Identity", x)]
