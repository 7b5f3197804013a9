"""Which function computes which layer type by torch. Each registers itself with `@converts("Type")`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

from caffe_compat.engines.torch.layer import Converter
from caffe_compat.layers.base import Layer

Fits = Callable[[Layer], bool]

_converters: dict[str, tuple[Converter, Fits]] = {}


def converts(*types: str, fits: Fits = lambda layer: True) -> Callable[[Converter], Converter]:
    """Decorator: this function computes the layers of these types that `fits` does not refuse."""

    def add(function: Converter) -> Converter:
        _converters.update(dict.fromkeys(types, (function, fits)))
        return function

    return add


@cache
def _import_all() -> None:
    package = importlib.import_module("caffe_compat.engines.torch")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


def converted_types() -> list[str]:
    """All layer types that torch computes, sorted."""
    _import_all()
    return sorted(_converters)


def converter(layer: Layer) -> Converter | None:
    """The function for a layer that is set up; None where there is none, and the layer itself has to compute."""
    _import_all()
    function, fits = _converters.get(layer.type, (None, None))
    return function if fits is not None and fits(layer) else None
