"""Layers of DeepLab's fork."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.segmentation.dense_crf_map import STEPS
from caffe_compat.layers.segmentation.mean_field import LEAST_EXPONENT
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.lattice import lattice
from caffe_compat.onnx_export.mean_field import divided, norm_of, pixels_of, repeated, rows_of
from caffe_compat.onnx_export.operators import Operators


@converts("SpatialProduct")
def spatial_product(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Mul", *bottoms)]


@converts("DenseCRFMap")
def dense_crf_map(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, maps = layer.layer_param.densecrf_param, bottoms[0]
    places, image = pixels_of(write, maps)
    near = divided(write, places, [param.x_gauss, param.y_gauss])
    red_first = write.reverse(rows_of(write, bottoms[1]), 1)
    none = write.floats(0)
    numbers = write("Where", write("IsNaN", red_first), none, red_first)
    numbers = write.cast(write("Clip", numbers, write.floats(-(2.0**31)), write.floats(2.0**31)), np.int64)
    colours = write.cast(write("Mod", numbers, write.ints(256)), np.float32)
    features = [*places, *(write("Gather", colours, write.ints(i), axis=1) for i in range(3))]
    far = divided(write, features, [getattr(param, f"{name}_bilateral") for name in "xyrgb"])
    filters = [
        (grid, write("Mul", norm_of(write, grid, image), write.floats(weight)))
        for grid, weight in (
            (lattice(write, near, image), param.wt_gauss),
            (lattice(write, far, image), param.wt_bilateral),
        )
    ]
    scores = rows_of(write, maps)

    def step(inner: Operators, prob: str) -> str:
        seen = (inner("Mul", grid.filter(inner, prob), norm) for grid, norm in filters)
        return _probabilities(inner, inner("Add", scores, inner("Add", *seen)))

    prob = repeated(write, step, _probabilities(write, scores), STEPS)
    best = write.cast(write("ArgMax", prob, axis=1, keepdims=1), np.float32)
    one = write("Concat", write.dims(maps, 0, 1), write.ints([1]), write.dims(maps, 2, 4), axis=0)
    return [write("Reshape", best, one)]


def _probabilities(write: Operators, scores: str) -> str:
    """The softmax over the classes, in which what is e^-20 times as probable as another counts 0."""
    below = write("Sub", scores, write("ReduceMax", scores, axes=[1], keepdims=1))
    counts = write("GreaterOrEqual", below, write.floats(LEAST_EXPONENT))
    values = write("Where", counts, write("Exp", below), write.floats(0))
    return write("Div", values, write("ReduceSum", values, write.ints([1]), keepdims=1))
