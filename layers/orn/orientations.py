"""How many orientations a layer has."""

from __future__ import annotations

from caffe_compat.layers.base import Layer


def orientations(layer: Layer) -> int:
    """orn_param.orientations. Raises LayerError below 2."""
    count: int = layer.layer_param.orn_param.orientations
    if count < 2:
        raise layer.error(f"orn_param.orientations is {count}; it must be at least 2")
    return count
