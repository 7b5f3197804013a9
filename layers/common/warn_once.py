"""Warnings that a layer gives once, though it may find the same in each forward."""

from __future__ import annotations

import warnings

from caffe_compat.layers.base import Layer


def warn_once(layer: Layer, text: str, about: str = "") -> None:
    """Warn with the layer's name and type before the text, unless the layer has warned about the same."""
    warned = layer.__dict__.setdefault("_warned", set())
    if about not in warned:
        warned.add(about)
        warnings.warn(f"layer '{layer.name}' ({layer.type}): {text}", stacklevel=4)
