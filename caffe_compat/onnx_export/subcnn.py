"""SubCNN's layers: FeatureExtrapolating, HeatmapGenerating."""

from __future__ import annotations

from caffe_compat.layers.base import Layer
from caffe_compat.layers.subcnn.feature_extrapolating import FeatureExtrapolating
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import END, Operators


@converts("FeatureExtrapolating")
def feature_extrapolating(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, FeatureExtrapolating)
    (x,) = bottoms
    shape = write.dims(x, 1, 4)
    scales = write("Reshape", x, write("Concat", write.ints([-1, layer.base]), shape, axis=0))
    maps = []
    for nearer, factor in layer.maps:
        below = write("Gather", scales, write.ints([nearer]), axis=1)
        if factor != 1:
            below = write("MatMul", _weights(write, x, 2, factor), below)
            below = write("MatMul", below, write("Transpose", _weights(write, x, 3, factor), perm=[1, 0]))
        maps.append(below)
    above = write("Concat", *maps, axis=1)
    return [write("Reshape", above, write("Concat", write.ints([-1]), shape, axis=0))]


def _weights(write: Operators, maps: str, axis: int, factor: float) -> str:
    """size x size: what each place along an axis, `factor` times as long as its base, takes of each of that one's."""
    places = write.places(maps, axis)
    from_base = write("Unsqueeze", write("Div", places, write.floats(factor)), write.ints([1]))
    distance = write("Abs", write("Sub", from_base, places))
    return write("Relu", write("Sub", write.floats(1), distance))


@converts("HeatmapGenerating")
def heatmap_generating(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    classes = write.slice(bottoms[0], 1, END, 1)
    return [write("Max", write("ReduceMax", classes, axes=[1], keepdims=1), write.floats(-1))]
