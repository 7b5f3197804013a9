"""What the losses of saliency maps share."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


def check_maps(layer: Layer, bottom: Sequence[Blob]) -> None:
    """Raise LayerError unless both bottoms are N x 1 x H x W, of one size."""
    shape = bottom[0].shape
    if len(shape) != 4 or shape[1] != 1 or bottom[1].shape != shape:
        raise layer.error(
            f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x 1 x H x W, both the same"
        )
