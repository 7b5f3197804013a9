"""Which function turns which layer type into ONNX's operators. Each registers itself with `@converts("Type")`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

from caffe_compat.layers.base import Layer
from caffe_compat.onnx_export.operators import Operators

# Takes what writes the operators, the layer (set up, with its params), and the values at its bottoms; returns the
# values at its tops. It may rely on the bottoms' numbers of axes, and on dims that the layer's params fix.
Converter = Callable[[Operators, Layer, list[str]], list[str]]

_converters: dict[str, Converter] = {}

# types of deploy nets that have no form in ONNX, and the way out
NO_FORM = {
    "DetectionOutput": "end the net above it (SSD's boxes are decoded by the program around the net)",
    "PriorBox": "its boxes depend on the image's size; compute them in the program around the net",
    "Python": "it is a program; end the net above it, or put an Input layer in its place",
}
DATA = "it brings data; export a deploy net, which has an Input layer in its place"
LOSS = "it needs labels; export a deploy net, which ends above it"


def converts(*types: str) -> Callable[[Converter], Converter]:
    """Decorator: this function converts the layers of these types."""

    def add(function: Converter) -> Converter:
        _converters.update(dict.fromkeys(types, function))
        return function

    return add


@cache
def _import_all() -> None:
    package = importlib.import_module("caffe_compat.onnx_export")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def converted_types() -> list[str]:
    """All layer types that have a form in ONNX, sorted."""
    _import_all()
    return sorted({*_converters, "Input"})


def converter(layer: Layer) -> Converter:
    """The function for a layer. Raises LayerError where its type has no form in ONNX, with the way out."""
    _import_all()
    if layer.type in _converters:
        return _converters[layer.type]
    if layer.bottom_count == (0, 0):
        way_out = DATA
    elif layer.is_loss or layer.type == "Accuracy":
        way_out = LOSS
    else:
        way_out = NO_FORM.get(layer.type, f"the types that can be are {', '.join(converted_types())}")
    raise layer.error(f"cannot be exported to ONNX; {way_out}")
