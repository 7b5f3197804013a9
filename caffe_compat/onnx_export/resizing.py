"""Interp: bilinear resizing, corner pixels on corner pixels."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.layers.interp import Interp
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import END, Operators


@converts("Interp")
def interp(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Interp)
    param, x = layer.layer_param.interp_param, bottoms[0]
    if param.pad_beg or param.pad_end:  # both cut off, as numbers below 0
        starts, ends = [-param.pad_beg] * 2, [param.pad_end or END] * 2
        x = write("Slice", x, *map(write.ints, (starts, ends, [2, 3])))
    if layer.sized:
        sizes = write.ints([param.height, param.width])
    else:
        steps = write("Sub", write.dims(x, 2, 4), write.ints([1]))
        steps = write("Div", steps, write.ints([param.shrink_factor]))
        sizes = write("Add", write("Mul", steps, write.ints([param.zoom_factor])), write.ints([1]))
    shape = write("Concat", write.dims(x, 0, 2), sizes, axis=0)
    how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    return [write("Resize", x, "", "", shape, **how)]
