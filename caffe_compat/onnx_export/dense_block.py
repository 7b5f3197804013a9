"""DenseBlock, by the layers that it has within."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.layers.dense_block import DenseBlock, turned
from caffe_compat.onnx_export.converters import converter, converts
from caffe_compat.onnx_export.operators import Operators


@converts("DenseBlock")
def dense_block(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, DenseBlock)
    maps = bottoms[0]
    for steps in layer.transitions:
        new = maps
        for step in steps:
            if step.flips:
                step.layer.blobs[0].data[...] = turned(layer.blobs[step.params[0]].data)
            write.axes[new] = 4
            (new,) = converter(step.layer)(write, step.layer, [new])
        maps = write("Concat", maps, new, axis=1)
    return [maps]
