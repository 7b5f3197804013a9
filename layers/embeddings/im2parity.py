"""Im2parity: whether each pixel has the class of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.embeddings.pixel_pairs import WITHOUT_EFFECT, PixelPairs
from caffe_compat.layers.registry import register


@register("Im2parity")
class Im2parity(PixelPairs):
    """1 where a window's pixel has the label of its middle, else 0 (convolution_param, im2parity_param).

    bottom: N x C x H x W labels, of which the last channel counts; top: N x kernel_h kernel_w x H' x W'. A pixel
    outside of the image has label 0. Where one of the two is ignore_label, and where a window's middle is outside, the
    top is ignore_label; without one, 0 in such windows. Forward only. Raises LayerError for params that do not fit,
    for other axes, and for labels that are not finite.
    Source: Im2parityLayer of segaware's Caffe; Harley et al., Segmentation-Aware Networks (2017), section 3.1.
    """

    reads = ("convolution_param", "im2parity_param")
    without_effect = WITHOUT_EFFECT
    origin = "segaware"
    has_backward = False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, y = self.layer_param.im2parity_param, top[0].data
        if not np.isfinite(bottom[0].data).all():
            raise self.error("the labels are not finite")
        x = np.trunc(bottom[0].data[:, -1:])[:, 0] if bottom[0].channels else np.zeros_like(y[:, 0])
        middles = next(pairs for pairs in self.pairs(*x.shape[1:]) if pairs.is_middle)
        own = x[middles.middle]
        y.fill(param.ignore_label)
        for place, pairs in enumerate(self.pairs(*x.shape[1:])):
            here = np.zeros_like(y[:, place])
            here[pairs.inside] = x[pairs.here]
            here = here[pairs.top]
            same = (here == own).astype(y.dtype)
            if param.HasField("ignore_label"):
                same[(here == param.ignore_label) | (own == param.ignore_label)] = param.ignore_label
            y[:, place][pairs.top] = same
