"""A Convolution and the layers behind it that work channel by channel, in one pass over its top."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.engines.fast.base import Blobs, Fused
from caffe_compat.layers.base import Layer
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.bn import BN
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.kernels.channels import finish
from caffe_compat.layers.relu import ReLU
from caffe_compat.layers.scale import Scale


class Chain(Fused):
    """Convolution -> BatchNorm with the params' statistics -> Scale -> ReLU in place; all but the first are optional.

    BN stands for the two in the middle. The bias of the convolution and these become one factor and one term a channel;
    so the result differs from that of the layers by rounding.
    """

    def __init__(self, convolution: Convolution, followers: Sequence[Layer]):
        self.convolution, self.followers = convolution, followers

    @staticmethod
    def continues(layer: Layer, need_backward: bool) -> bool:
        """Whether a layer can follow: a ReLU, or one with one factor a channel and no backward to run."""
        if type(layer) is ReLU:
            return True
        if type(layer) is BatchNorm:
            return layer.use_global_stats and not need_backward
        if type(layer) is BN:
            return (layer.use_averages or layer.only_affine) and not need_backward
        param, blobs = layer.layer_param.scale_param, len(layer.blobs)
        return (
            type(layer) is Scale
            and (param.axis, param.num_axes, blobs) == (1, 1, 1 + param.bias_term)
            and not need_backward
        )

    def forward(self, bottoms: Blobs, tops: Blobs) -> None:
        layer = self.convolution
        layer.convolve(bottoms[0][0], tops[0][0], None)
        top = tops[-1][0].data
        scale, shift = self._affine()
        slope = next((one.slope for one in self.followers if isinstance(one, ReLU)), top.dtype.type(1))
        finish(top.reshape(*top.shape[:2], math.prod(top.shape[2:])), scale, shift, slope)

    def _affine(self) -> tuple[np.ndarray, np.ndarray]:
        filters, *bias = (blob.data for blob in self.convolution.blobs)
        scale = np.ones(len(filters), filters.dtype)
        shift = bias[0] if bias else np.zeros_like(scale)
        for layer in self.followers:
            if isinstance(layer, BatchNorm):
                mean, factor = layer.global_stats()
                scale, shift = scale * factor, (shift - mean) * factor
            elif isinstance(layer, BN):
                mean, factor = layer.fixed_stats()
                learned, term = layer.scale_and_shift()
                scale, shift = scale * factor * learned, (shift - mean) * factor * learned + term
            elif isinstance(layer, Scale):
                factor = layer.blobs[0].data
                scale, shift = scale * factor, shift * factor
                if layer.bias is not None:
                    shift = shift + layer.bias.data
        return scale, shift
