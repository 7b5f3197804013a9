"""Squeeze."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import canonical_axis
from caffe_compat.layers.common.view_layer import ViewLayer
from caffe_compat.layers.registry import register


@register("Squeeze")
class Squeeze(ViewLayer):
    """The bottom without the axes of squeeze_param, or without all of size 1; the top shares its data.

    Raises LayerError for an axis out of range, or of another size than 1. Source: SqueezeLayer of Synopsys' Caffe.
    """

    reads = ("squeeze_param",)
    origin = "Synopsys"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        axes = [canonical_axis(self, axis, bottom[0]) for axis in self.layer_param.squeeze_param.axis]
        if any(shape[axis] != 1 for axis in axes):
            raise self.error(f"axes {axes} of the shape {shape} are not all of size 1")
        gone = axes or [axis for axis, size in enumerate(shape) if size == 1]
        top[0].reshape(*(size for axis, size in enumerate(shape) if axis not in gone))
