"""SRNNFormat: maps as sequences of their rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import SRNNFormatParameter


@register("SRNNFormat")
class SRNNFormat(Layer):
    """Makes each row of maps a sequence for recurrent layers, or back (srnnformat_param).

    operation FORMAT: bottom N x C x H x W; top[0]: W x NH x C, the sequences, top[1]: W x NH, 0 in the first step, else
    1; top[2]: H, a scalar. UNFORMAT: bottom[0] W x NH x C and bottom[1] H, a scalar that a FORMAT has made; top[0]: N x
    C x H x W. Raises LayerError for other shapes, counts, and heights.
    Source: SRNNFormatLayer of DSCLRCN (nian-liu); Liu and Han, A Deep Spatial Contextual Long-term Recurrent
    Convolutional Network for Saliency Detection (2016).
    """

    reads = ("srnnformat_param",)
    origin = "DSCLRCN"
    bottom_count = (1, 2)
    top_count = (1, 3)
    no_gradient = (1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.formats = self.layer_param.srnnformat_param.operation == SRNNFormatParameter.FORMAT
        counts = (1, 3) if self.formats else (2, 1)
        if (len(bottom), len(top)) != counts:
            raise self.error(
                f"has {len(bottom)} bottom(s) and {len(top)} top(s); FORMAT has 1 and 3, UNFORMAT 2 and 1"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != (4 if self.formats else 3):
            raise self.error(
                f"bottom[0] has the shape {shape}; expected N x C x H x W, or W x NH x C to UNFORMAT"
            )
        if not self.formats:
            return self._reshape_back(bottom, top)
        num, channels, height, width = shape
        top[0].reshape(width, num * height, channels)
        top[1].reshape(width, num * height)
        top[2].reshape()
        top[2].data[...] = height  # the layer that goes back has its shape from it

    def _reshape_back(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        width, streams, channels = bottom[0].shape
        height = float(bottom[1].data.ravel()[0]) if bottom[1].count == 1 else np.nan
        if not (height >= 1 and streams % height == 0):
            raise self.error(
                f"bottom[1] says the height {height:g}; {streams} sequences are not the rows of such maps"
            )
        top[0].reshape(streams // int(height), channels, int(height), width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.formats:
            top[0].data[...] = _as_maps(bottom[0].data, top[0].shape)
            return
        top[0].data[...] = _as_sequences(bottom[0].data).reshape(top[0].shape)
        top[1].data[...] = 1
        top[1].data[:1] = 0
        top[2].data[...] = bottom[0].height

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        if self.formats:
            bottom[0].diff[...] = _as_maps(top[0].diff, bottom[0].shape)
        else:
            bottom[0].diff[...] = _as_sequences(top[0].diff).reshape(bottom[0].shape)


def _as_sequences(maps: np.ndarray) -> np.ndarray:
    """N x C x H x W as W x N x H x C."""
    return maps.transpose(3, 0, 2, 1)


def _as_maps(sequences: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """W x NH x C as N x C x H x W, of this shape."""
    num, channels, height, width = shape
    return sequences.reshape(width, num, height, channels).transpose(1, 3, 2, 0)
