"""Places in images, which a bottom has."""

from __future__ import annotations

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


def check_places(layer: Layer, places: Blob, maps: list[Blob]) -> None:
    """Raise LayerError unless there are N x P x 2 places, and maps N x C x H x W with pixels."""
    shapes = [blob.shape for blob in maps]
    if len(places.shape) != 3 or places.shape[2] != 2:
        raise layer.error(f"bottom[0] has the shape {places.shape}; expected N x places x 2: y and x")
    if any(len(shape) != 4 or shape[0] != places.num or min(shape[2:]) < 1 for shape in shapes):
        raise layer.error(
            f"the maps have the shapes {shapes}; expected {places.num} x C x H x W, with pixels"
        )
