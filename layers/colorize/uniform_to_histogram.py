"""UniformToHistogram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("UniformToHistogram")
class UniformToHistogram(Layer):
    """Numbers from 0 to 1 as histograms of one pixel: 1 in its bin, 0 in all others.

    bottom: N x 1 x H x W; top: N x bins x H x W (uniform_to_histogram_param). Numbers beyond count in the first or the
    last bin, NaN in the first. Forward only. Raises LayerError for other shapes, and without bins.
    Source: UniformToHistogramLayer of gustavla/autocolorize, which writes outside its memory for numbers below 0.
    """

    reads = ("uniform_to_histogram_param",)
    no_gradient = (0,)
    has_backward = False
    origin = "autocolorize"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, bins = bottom[0].shape, self.layer_param.uniform_to_histogram_param.bins
        if len(shape) != 4 or shape[1] != 1 or bins < 1:
            raise self.error(
                f"the bottom has the shape {shape}, and there are {bins} bins; expected N x 1 x H x W, and 1"
            )
        top[0].reshape(shape[0], bins, *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        bins = top[0].channels
        place = np.minimum(np.fmax(bottom[0].data * bottom[0].dtype.type(bins), 0), bins - 1).astype(np.int64)
        top[0].data[...] = place == np.arange(bins)[:, None, None]
