"""CropCenter."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("CropCenter")
class CropCenter(Layer):
    """The bottom without crop_center_param.crop_size elements at both ends of each axis; one crop_size an axis.

    Raises LayerError for another number of them, and where nothing would be left. Source: CropCenterLayer of
    lltcggie's Caffe (waifu2x).
    """

    reads = ("crop_center_param",)
    origin = "waifu2x"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, crops = bottom[0].shape, self.layer_param.crop_center_param.crop_size
        if len(crops) != len(shape):
            raise self.error(
                f"crop_size is given {len(crops)} times; the bottom {shape} has {len(shape)} axes: give one an axis"
            )
        if any(2 * crop >= max(size, 1) for crop, size in zip(crops, shape, strict=True)):
            raise self.error(f"crop_size {list(crops)} leaves nothing of a bottom of {shape}")
        self.part = tuple(slice(crop, size - crop) for crop, size in zip(crops, shape, strict=True))
        top[0].reshape(*(size - 2 * crop for crop, size in zip(crops, shape, strict=True)))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data[self.part]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            bottom[0].diff[self.part] = top[0].diff
