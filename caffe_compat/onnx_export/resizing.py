"""Bilinear resizing, corner pixels on corner pixels, maps of one value, and Upsample."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.bilinear import BilinearLayer
from caffe_compat.layers.interp import Interp
from caffe_compat.layers.upsample import Upsample
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import END, Operators
from caffe_compat.onnx_export.unpooling import scattered


@converts("Interp", "BilinearInterpolation")
def interp(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, BilinearLayer)
    param, x = layer.layer_param.interp_param, bottoms[0]
    if param.pad_beg or param.pad_end:  # both cut off, as numbers below 0
        starts, ends = [-param.pad_beg] * 2, [param.pad_end or END] * 2
        x = write("Slice", x, *map(write.ints, (starts, ends, [2, 3])))
    if len(bottoms) > 1:
        sizes = write.dims(bottoms[1], 2, 4)
    elif isinstance(layer, Interp) and layer.sized:
        sizes = write.ints([param.height, param.width])
    else:
        steps = write("Sub", write.dims(x, 2, 4), write.ints([1]))
        steps = write("Div", steps, write.ints([param.shrink_factor]))
        sizes = write("Mul", steps, write.ints([param.zoom_factor]))
        sizes = write("Add", sizes, write.ints([param.zoom_factor if param.zoom_whole else 1]))
    shape = write("Concat", write.dims(x, 0, 2), sizes, axis=0)
    how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    return [write("Resize", x, "", "", shape, **how)]


@converts("Duplicate")
def duplicate(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.duplicate_param
    return [write("Tile", *bottoms, write.ints([1, 1, int(param.height), int(param.width)]))]


@converts("Upsample")
def upsample(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Upsample)
    if layer.is_nearest:
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        factors = write.floats([1, 1, layer.factor, layer.factor])
        return [write("Resize", bottoms[0], "", factors, **how)]
    param = layer.layer_param.upsample_param
    if layer.sized:
        sizes = write.ints([param.upsample_h, param.upsample_w])
    else:
        sizes = write("Mul", write.dims(bottoms[0], 2, 4), write.ints(layer.scales))
        sizes = write("Sub", sizes, write.ints(layer.pads))
    return [scattered(write, bottoms[0], bottoms[1], sizes)]
