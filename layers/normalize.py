"""L2 normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FillerParameter

ONES = FillerParameter(type="constant", value=1)


@register("Normalize")
class Normalize(Layer):
    """Divides by the root of the sum of squares plus norm_param.eps, and multiplies by a learnt scale.

    bottom[0], top[0]: N x C x ...; the sum is over each image (across_spatial), or over the channels of each
    pixel. params[0]: the scale, C or (channel_shared) a scalar, 1 unless there is a scale_filler.
    As in Caffe, the gradient is that of one scale for all channels, times each channel's: with channel_shared: false
    and scales that differ it is not the true one.
    Raises LayerError for a bottom of fewer axes.
    Source: NormalizeLayer of the SSD fork of Caffe; Liu et al., ParseNet (2015), section 3.3.
    """

    reads = ("norm_param",)
    without_effect = ("norm_param.fix_scale",)  # the reader gives it DSCLRCN's defaults
    origin = "SSD"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.norm_param
        if len(bottom[0].shape) < 2:
            raise self.error(f"the bottom has the shape {bottom[0].shape}; expected N x C x ...")
        self.axes = (1, 2) if param.across_spatial else (1,)
        shape = () if param.channel_shared else (bottom[0].shape[1],)
        set_up_params(self, (shape, param.scale_filler if param.HasField("scale_filler") else ONES))
        self.norm = Blob((), bottom[0].dtype)
        self.unit = Blob((), bottom[0].dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2 or self.blobs[0].count not in (1, shape[1]):
            raise self.error(f"the bottom has the shape {shape}; expected the channels of the first")
        top[0].reshape(*shape)
        self.unit.reshape(*shape[:2], bottom[0].count // max(shape[0] * shape[1], 1))
        num, _, pixels = self.unit.shape
        self.norm.reshape(num, 1, 1 if len(self.axes) == 2 else pixels)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        unit, _ = self._normalize(bottom)
        np.multiply(unit, self._scale(), out=top[0].data.reshape(unit.shape))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        unit, norm = self._normalize(bottom)
        seed = top[0].diff.reshape(unit.shape)
        if self.propagates_to(0):
            by_channel = np.einsum("ncp,ncp->c", seed, unit)
            self.blobs[0].diff[...] += by_channel if self.blobs[0].shape else by_channel.sum()
        if propagate_down[0]:
            diff = bottom[0].diff.reshape(unit.shape)
            along = (seed * unit).sum(axis=self.axes, keepdims=True)
            unit *= along
            np.subtract(seed, unit, out=diff)
            diff /= norm
            diff *= self._scale()

    def _normalize(self, bottom: Sequence[Blob]) -> tuple[np.ndarray, np.ndarray]:
        unit, norm = self.unit.data, self.norm.data
        x = bottom[0].data.reshape(unit.shape)
        np.multiply(x, x, out=unit)
        unit.sum(axis=self.axes, keepdims=True, out=norm)
        norm += self.layer_param.norm_param.eps
        np.sqrt(norm, out=norm)
        np.divide(x, norm, out=unit)
        return unit, norm

    def _scale(self) -> np.ndarray:
        return self.blobs[0].data.reshape(-1, 1)
