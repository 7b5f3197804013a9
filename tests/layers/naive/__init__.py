"""Every layer once more, in plain loops over Python numbers and float64: forward only, written apart from the kernels.

NAIVE: for each layer type a function that takes a Given and returns the tops. Where a layer's own test has a naive
reference with the gradient too, it is taken from there.
"""

from importlib import import_module
from pkgutil import iter_modules

from layers.naive.given import Given, given_to

_FAMILIES = [import_module(f"{__name__}.{file.name}") for file in iter_modules(__path__)]
NAIVE = {type: layer for family in _FAMILIES for type, layer in getattr(family, "NAIVE", {}).items()}

__all__ = ["NAIVE", "Given", "given_to"]
