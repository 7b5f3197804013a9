"""A part of one blob, of another blob's size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.registry import register


@register("Crop")
class Crop(Layer):
    """top = the part of bottom[0] that begins at the offsets and has the size of bottom[1], from `axis` (2) on.

    crop_param.offset is given once for all these axes, once for each, or not at all: 0. The axes before stay
    whole. Only the shape of bottom[1] counts: its gradient is 0. Raises LayerError where the part does not lie
    within bottom[0], or there are too few or too many offsets.

    Source: Caffe's CropLayer.
    """

    reads = ("crop_param",)
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, size = bottom[0].shape, bottom[1].shape
        axis = canonical_axis(self, self.layer_param.crop_param.axis, bottom[0])
        offsets = self._offsets(len(shape) - axis)
        if len(size) < len(shape):
            raise self.error(f"bottom[1] has the shape {size}: not as many axes as bottom[0], {shape}")
        ends = [offset + wanted for offset, wanted in zip(offsets, size[axis:], strict=False)]
        if any(end > there for end, there in zip(ends, shape[axis:], strict=True)):
            raise self.error(
                f"from the offsets {offsets} on, the size of bottom[1], {size}, does not lie within bottom[0], {shape}"
            )
        self._part = (slice(None),) * axis + tuple(map(slice, offsets, ends))
        top[0].reshape(*shape[:axis], *size[axis : len(shape)])

    def _offsets(self, axes: int) -> list[int]:
        given = list(self.layer_param.crop_param.offset) or [0]
        if len(given) not in (1, axes):
            raise self.error(
                f"offset is given {len(given)} times; give it once, or for each of the {axes} axes that are cropped"
            )
        return given if len(given) == axes else given * axes

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(top[0].data, bottom[0].data[self._part])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff[...] = 0
        if propagate_down[0]:
            bottom[0].diff[self._part] = top[0].diff
