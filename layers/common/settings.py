"""Settings of layers: what a configuration gives to the layers of one net."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from caffe_compat.layers.base import Layer

LayerSettings = Mapping[type[Layer], Mapping[str, Any]]  # class -> attribute -> value


def settings_of(layer: Layer, settings: LayerSettings) -> Iterator[tuple[type[Layer], str, Any]]:
    """Class, attribute and value of what the settings have for a layer's class and the classes it derives from."""
    for cls, values in settings.items():
        if isinstance(layer, cls):
            for name, value in values.items():
                yield cls, name, value


def set_attributes(layer: Layer, settings: LayerSettings) -> None:
    """Give a layer the attributes that the settings have for it.

    Raises LayerError for an attribute that the class does not have.
    """
    for cls, name, value in settings_of(layer, settings):
        if not hasattr(cls, name):
            raise layer.error(f"the settings have '{name}', which {cls.__name__} does not have")
        setattr(layer, name, value)
