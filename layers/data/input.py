"""Blobs that the user fills."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Input")
class Input(Layer):
    """Tops of the shapes in input_param (one for all tops, one a top, or none); nothing writes their data.

    The user may reshape a top at any time. Raises LayerError for another number of shapes.
    Source: Caffe's InputLayer.
    """

    reads = ("input_param",)
    bottom_count = (0, 0)
    top_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = self.layer_param.input_param.shape
        if len(shapes) not in (0, 1, len(top)):
            raise self.error(
                f"input_param has {len(shapes)} shapes for {len(top)} tops; give one, one a top, or none"
            )
        for i, blob in enumerate(top):
            if shapes:
                blob.reshape(*shapes[i if len(shapes) > 1 else 0].dim)
