"""Up to two spatial axes, where those that a blob lacks are 1."""

from __future__ import annotations

from caffe_compat.layers.base import Layer


def four_axes(layer: Layer, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """N x C x H x W of a bottom's shape. Raises LayerError for other than two to four axes."""
    if not 2 <= len(shape) <= 4:
        raise layer.error(f"the bottom has the shape {shape}; expected N x C, up to N x C x H x W")
    images, channels, height, width = *shape, *[1] * (4 - len(shape))
    return images, channels, height, width
