"""LRNRistretto."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.lrn import LRN
from caffe_compat.layers.registry import register
from caffe_compat.layers.ristretto.trim import nearest, read_trims
from caffe_compat.prototxt.caffe_pb2 import QuantizationParameter


@register("LRNRistretto")
class LRNRistretto(LRN):
    """An LRN across channels that trims its bottom and each number it computes on the way, in TRAIN and TEST.

    bottom, top: N x C x H x W. The sum of squares runs along the channels: each square that comes in is added, then the
    one that goes out taken away, and the sum trimmed each time; then its product with alpha / n, with k added, the
    power and the top. Numbers are trimmed to the nearest of quantization_param's mant_bits and exp_bits. The gradient
    is LRN's with these sums and tops. Raises LayerError for another precision than MINIFLOAT, for WITHIN_CHANNEL, and
    as LRN does.

    Source: LRNRistrettoLayer of Ristretto (pmgysel/caffe), which runs on the GPU only.
    """

    reads = ("lrn_param", "quantization_param")
    origin = "Ristretto"
    backward_reads_top = True
    without_effect = tuple(
        f"quantization_param.{name}"
        for name in (
            *("rounding_scheme", "bw_layer_in", "bw_layer_out", "bw_params"),
            *("fl_layer_in", "fl_layer_out", "fl_params", "exp_min", "exp_max"),
        )
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if not self.across:
            raise self.error("norm_region is WITHIN_CHANNEL; only ACROSS_CHANNELS can be trimmed")
        precision = self.layer_param.quantization_param.precision
        if precision != QuantizationParameter.MINIFLOAT:
            name = QuantizationParameter.Precision.Name(precision)
            raise self.error(f"precision is {name}; an LRN is trimmed to MINIFLOAT alone")
        self._trim = read_trims(self).inputs

    def _trimmed(self, x: np.ndarray) -> np.ndarray:
        self._trim(x, nearest)
        return x

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        alpha, beta, k = self.coefficients
        x = self._trimmed(bottom[0].data.copy())
        sums = self._trimmed(self._sums(self._trimmed(x * x)) * alpha)
        self.scale = self._trimmed(k + sums)
        with np.errstate(all="ignore"):
            powers = self._trimmed(self.scale**-beta)
            top[0].data[...] = self._trimmed(x * powers)

    def _sums(self, squares: np.ndarray) -> np.ndarray:
        """Of each channel's neighbours, trimmed after each step along the channels."""
        channels = squares.shape[1]
        half = self._half(channels)
        total, sums = np.zeros_like(squares[:, 0]), np.empty_like(squares)
        for head in range(channels + half):
            if head < channels:
                total = self._trimmed(total + squares[:, head])
            if head - self.size >= 0:
                total = self._trimmed(total - squares[:, head - self.size])
            if head >= half:
                sums[:, head - half] = total
        return sums

    def _half(self, channels: int) -> int:
        """How many neighbours on one side there can be."""
        return min(self.size // 2, channels)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        alpha, beta, _ = self.coefficients
        diff = top[0].diff
        with np.errstate(all="ignore"):
            ratios, powers = diff * top[0].data / self.scale, self.scale**-beta
        channels, half = ratios.shape[1], self._half(ratios.shape[1])
        total = np.empty_like(ratios)
        for channel in range(channels):
            total[:, channel] = ratios[:, max(channel - half, 0) : channel + half + 1].sum(axis=1)
        bottom[0].diff[...] = diff * powers - 2 * alpha * beta * bottom[0].data * total
