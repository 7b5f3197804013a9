"""PatchReshape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

_FIELDS = ("new_channel", "new_height", "new_width", "new_patch_width", "new_patch_height")


def has_patches(layer_param: LayerParameter) -> bool:
    return any(map(layer_param.reshape_param.HasField, _FIELDS))


@register_form("PatchReshape", of="Reshape", describes=has_patches)
class PatchReshape(Layer):
    """The channels of each pixel become a patch of pixels.

    A layer of type Reshape with new_channel is this one. bottom: N x C x H x W (without H and W: of one pixel), C being
    new_patch_width x new_patch_height x new_channel; top: N x new_channel x new_height x new_width, which are H and W
    times those of a patch. Channel (column new_patch_height + row) new_channel + c of the bottom is channel c of the
    pixel in that row and column of the patch. Raises LayerError for dims that do not fit.

    Source: ReshapeLayer of Arroosh/optical_flow_prediction; Walker et al., Dense Optical Flow Prediction from a Static
    Image (2015).
    """

    reads = ("reshape_param",)
    origin = "Arroosh"
    refused = {
        f"reshape_param.{name}": "of layers without new_channel: remove it"
        for name in ("shape", "axis", "num_axes")
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.reshape_param
        sizes = {name: getattr(param, name) for name in _FIELDS}
        if min(sizes.values()) < 1:
            told = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise self.error(f"found {told}; each must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.reshape_param, bottom[0].shape
        channels, height, width = param.new_channel, param.new_height, param.new_width
        patch = param.new_patch_width, param.new_patch_height
        n, c, h, w = (*shape, 1, 1)[:4] if 2 <= len(shape) <= 4 else (0, 0, 0, 0)
        if (c, height, width) != (patch[0] * patch[1] * channels, h * patch[1], w * patch[0]):
            raise self.error(
                f"the bottom has the shape {shape}; patches of {patch[1]} x {patch[0]} pixels of {channels} channels "
                f"do not make {height} x {width} pixels of it"
            )
        self.view = n, *patch, channels, h, w
        top[0].reshape(n, channels, height, width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = self._patches(bottom[0].data)
        np.copyto(top[0].data.reshape(y.shape), y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x_diff = self._patches(bottom[0].diff)
            np.copyto(x_diff, top[0].diff.reshape(x_diff.shape))

    def _patches(self, array: np.ndarray) -> np.ndarray:
        """The bottom's numbers in the order of the top's: images, channels, then for rows and for columns where a patch
        is and what of it."""
        return array.reshape(self.view).transpose(0, 3, 4, 2, 5, 1)
