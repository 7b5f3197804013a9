"""Which function turns which layer type into ONNX's operators. Each registers itself with `@converts("Type")`."""

from __future__ import annotations

from collections.abc import Callable

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.by_type import ByType
from caffe_compat.layers.registry import computed_type
from caffe_compat.onnx_export.operators import Operators

# Takes what writes the operators, the layer (set up, with its params), and the values at its bottoms; returns the
# values at its tops. It may rely on the bottoms' numbers of axes, and on dims that the layer's params fix.
Converter = Callable[[Operators, Layer, list[str]], list[str]]

_converters: ByType[Converter] = ByType("caffe_compat.onnx_export")

# types of deploy nets that have no form in ONNX, and the way out
NO_FORM = {
    "LRNRistretto": "its sums are trimmed channel by channel; write LRN to export the net without",
    "Python": "it is a program; end the net above it, or put an Input layer in its place",
}
DATA = "it brings data; export a deploy net, which has an Input layer in its place"
LOSS = "it needs labels; export a deploy net, which ends above it"


def converts(*types: str) -> Callable[[Converter], Converter]:
    """Decorator: this function converts the layers of these types."""

    def add(function: Converter) -> Converter:
        _converters.add(types, function)
        return function

    return add


def converted_types() -> list[str]:
    """All layer types that have a form in ONNX, sorted."""
    return sorted({*_converters.types(), "Input"})


def converter(layer: Layer) -> Converter:
    """The function for a layer. Raises LayerError where its type has no form in ONNX, with the way out."""
    found = _converters.get(computed_type(layer))
    if found is not None:
        return found
    if layer.bottom_count == (0, 0):
        way_out = DATA
    elif layer.is_loss or layer.type == "Accuracy":
        way_out = LOSS
    else:
        way_out = NO_FORM.get(layer.type, f"the types that can be are {', '.join(converted_types())}")
    raise layer.error(f"cannot be exported to ONNX; {way_out}")
