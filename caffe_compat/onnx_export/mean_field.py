"""Mean field in dense conditional random fields: CRF-RNN's layers, and what DeepLab's shares with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from caffe_compat.layers.base import Layer
from caffe_compat.layers.segmentation.meanfield import Meanfield
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.lattice import Lattice, lattice
from caffe_compat.onnx_export.operators import Operators

LEAST = 1e-20


@converts("MultiStageMeanfield", "MultiStageMeanfieldAU3")
def multi_stage_meanfield(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Meanfield)
    param, maps = layer.settings, bottoms[0]
    places, image = pixels_of(write, maps)
    near, far = (divided(write, places, [theta] * 2) for theta in (param.theta_gamma, param.theta_alpha))
    colours = write("Div", rows_of(write, bottoms[2]), write.floats(param.theta_beta))
    each = [write("Gather", colours, write.ints(i), axis=1) for i in range(layer.colours)]
    filters = [
        (grid, norm_of(write, grid, image))
        for grid in (lattice(write, features, image) for features in (near, [*far, *each]))
    ]
    unary, start = (rows_of(write, x) for x in bottoms[:2])
    spatial, bilateral, compatibility = (write.floats(blob.data[0, 0].T) for blob in layer.blobs)

    def step(inner: Operators, q: str) -> str:
        prob = inner("Softmax", q, axis=1)
        seen = [inner("Mul", grid.filter(inner, prob), norm) for grid, norm in filters]
        parts = (inner("MatMul", x, weights) for x, weights in zip(seen, (spatial, bilateral), strict=True))
        return inner("Sub", unary, inner("MatMul", inner("Add", *parts), compatibility))

    return [_maps(write, repeated(write, step, start, param.num_iterations), maps)]


def divided(write: Operators, features: list[str], deviations: Sequence[float]) -> list[str]:
    return [
        write("Div", feature, write.floats(deviation))
        for feature, deviation in zip(features, deviations, strict=True)
    ]


def pixels_of(write: Operators, maps: str) -> tuple[list[str], str]:
    """Column and row of each pixel, in float32, and its image, P each."""
    sizes = [write.dims(maps, axis, axis + 1) for axis in (0, 2, 3)]
    shape = write("Concat", *sizes, axis=0)
    axes = [
        write("Unsqueeze", write.count_up(size), write.ints(rest))
        for size, rest in zip(sizes, ([1, 2], [0, 2], [0, 1]), strict=True)
    ]
    image, row, column = (write.reshape(write("Expand", place, shape), -1) for place in axes)
    return [write.cast(place, np.float32) for place in (column, row)], image


def rows_of(write: Operators, maps: str) -> str:
    """N x C x H x W as pixels x C."""
    channels = write("Concat", write.ints([-1]), write.dims(maps, 1, 2), axis=0)
    return write("Reshape", write("Transpose", maps, perm=[0, 2, 3, 1]), channels)


def _maps(write: Operators, rows: str, maps: str) -> str:
    """Pixels x C in the shape of the maps."""
    parts = write.dims(maps, 0, 1), write.dims(maps, 2, 4), write.dims(maps, 1, 2)
    return write("Transpose", write("Reshape", rows, write("Concat", *parts, axis=0)), perm=[0, 3, 1, 2])


def norm_of(write: Operators, grid: Lattice, image: str) -> str:
    """1 by what the filter makes of ones, pixels x 1."""
    shape = write("Concat", write("Shape", image), write.ints([1]), axis=0)
    seen = grid.filter(write, write("Expand", write.floats(1), shape))
    return write("Div", write.floats(1), write("Add", seen, write.floats(LEAST)))


def repeated(write: Operators, step: Callable[[Operators, str], str], start: str, times: int) -> str:
    """start after so many steps."""
    inner = Operators(onnx.GraphProto(name=f"{write.scope}: one step"), write.fresh(f"{write.scope}:loop"))
    turn, go_on, before = (f"{inner.scope}:{name}" for name in ("turn", "go_on", "before"))
    behind, described = step(inner, before), helper.make_tensor_value_info
    flag, rows = TensorProto.BOOL, TensorProto.FLOAT
    inner.graph.input.append(described(turn, TensorProto.INT64, []))
    inner.graph.input.extend([described(go_on, flag, []), described(before, rows, [None, None])])
    inner.graph.output.extend(
        [described(inner("Identity", go_on), flag, []), described(behind, rows, [None, None])]
    )
    yes = write("Cast", write.ints(1), to=TensorProto.BOOL)
    return write.many("Loop", 1, write.ints(times), yes, start, body=inner.graph)[0]
