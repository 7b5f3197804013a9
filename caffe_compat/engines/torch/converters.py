"""Which function computes which layer type by torch. Each registers itself with `@converts("Type")`."""

from __future__ import annotations

from collections.abc import Callable

from caffe_compat.engines.torch.layer import Conversion, Function
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.by_type import ByType
from caffe_compat.layers.registry import computed_type

_conversions: ByType[Conversion] = ByType("caffe_compat.engines.torch")


def converts(
    *types: str,
    fits: Callable[[Layer], bool] = lambda layer: True,
    own_memory: bool = False,
    is_product: bool = False,
    traceable: bool = True,
) -> Callable[[Function], Function]:
    """Decorator: this function computes the layers of these types that `fits` does not refuse.

    own_memory: no top of it is ever a view of a bottom. is_product: a matrix product or a convolution, which the
    precision bf16 takes in bf16. traceable: whether torch.compile can trace it, as it looks at no values.
    """

    def add(function: Function) -> Function:
        _conversions.add(types, Conversion(function, fits, own_memory, is_product, traceable))
        return function

    return add


def converted_types() -> list[str]:
    """All layer types that torch computes, sorted."""
    return _conversions.types()


def conversion(layer: Layer) -> Conversion | None:
    """How a layer that is set up is computed; None where torch cannot, and the layer itself has to."""
    found = _conversions.get(computed_type(layer))
    return found if found is not None and found.fits(layer) else None
