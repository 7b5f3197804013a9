"""LRN."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import lrn as kernels
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LRNParameter


@register("LRN")
class LRN(Layer):
    """Local response normalisation: top = bottom (k + alpha / n (sum of bottom^2 over n neighbours)) ^ -beta.

    bottom, top: N x C x H x W. ACROSS_CHANNELS: the n = local_size channels around. WITHIN_CHANNEL: the
    n = local_size^2 pixels around; k is 1 there, whatever the prototxt says, as in Caffe. What lies outside
    counts as 0. Nothing is kept for backward: it computes the sums again. For beta = 0.75 square roots take
    the place of the power; the result differs in the last digit.

    Raises LayerError for an even local_size, or a bottom of other than 4 axes.

    Source: Caffe's LRNLayer; Krizhevsky, Sutskever and Hinton (2012), section 3.3.
    """

    reads: tuple[str, ...] | None = ("lrn_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.lrn_param
        if param.local_size % 2 == 0:
            raise self.error(f"local_size is {param.local_size}; it must be odd")
        self.across = param.norm_region == LRNParameter.ACROSS_CHANNELS
        neighbours = param.local_size if self.across else param.local_size**2
        real = np.dtype(self.dtype).type
        self.size = param.local_size
        self.coefficients = (
            real(param.alpha / neighbours),
            real(param.beta),
            real(param.k if self.across else 1),
        )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) != 4:
            raise self.error(f"the bottom has the shape {bottom[0].shape}, expected 4 axes: N x C x H x W")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        kernel = kernels.across_forward if self.across else kernels.within_forward
        kernel(self._view(bottom[0].data), self.size, *self.coefficients, self._view(top[0].data))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, top_diff, bottom_diff = map(self._view, (bottom[0].data, top[0].diff, bottom[0].diff))
        if self.across:
            kernel = kernels.across_backward
            ratios = scratch((numba.get_num_threads(), x.shape[1], kernels.BLOCK), x.dtype)
        else:
            kernel = kernels.within_backward
            ratios = scratch(x.shape, x.dtype)
        kernel(x, top_diff, self.size, *self.coefficients, ratios, bottom_diff)

    def _view(self, array: np.ndarray) -> np.ndarray:
        """N x C x pixels for neighbours across channels, planes x H x W for those within one."""
        n, c, h, w = array.shape
        return array.reshape(n, c, h * w) if self.across else array.reshape(n * c, h, w)
