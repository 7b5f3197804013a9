"""Im2dist: how far each pixel's features are from those of its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.embeddings.pixel_pairs import WITHOUT_EFFECT, PixelPairs
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import Im2distParameter

FAR = np.finfo(np.float32).max / np.float32(100)


@register("Im2dist")
class Im2dist(PixelPairs):
    """The distance of a window's pixels from its middle, over the channels (convolution_param, im2dist_param).

    bottom: N x C x H x W; top: N x kernel_h kernel_w x H' x W'. norm L2: half the squared distance; L1: the sum of the
    absolute differences. A window whose middle is outside of the image has zeros, a pixel outside 0, or with
    remove_bounds 3.4e36; so has the middle itself with remove_center. With L1 the gradient has slope -1 where two
    numbers are equal, and for a pixel outside the middle gets it: the original's.
    Raises LayerError for params that do not fit, and for other axes.
    Source: Im2distLayer of segaware's Caffe; Harley et al., Segmentation-Aware Networks (2017), equation 1.
    """

    reads = ("convolution_param", "im2dist_param")
    without_effect = WITHOUT_EFFECT
    origin = "segaware"

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, x, y = self.layer_param.im2dist_param, bottom[0].data, top[0].data
        y.fill(0)
        for place, pairs in enumerate(self.pairs(*x.shape[2:])):
            if pairs.is_middle and param.remove_center:
                y[:, place][pairs.top] = FAR
                continue
            if param.remove_bounds:
                y[:, place][pairs.top] = FAR
            off = x[pairs.middle] - x[pairs.here]
            if param.norm == Im2distParameter.L2:
                y[:, place][pairs.inside] = np.square(off).sum(axis=1) / 2
            else:
                y[:, place][pairs.inside] = np.abs(off).sum(axis=1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, diff, of_top = bottom[0].data, bottom[0].diff, top[0].diff
        diff.fill(0)
        for place, pairs in enumerate(self.pairs(*x.shape[2:])):
            if pairs.is_middle:
                continue
            slope = x[pairs.middle] - x[pairs.here]
            if self.layer_param.im2dist_param.norm == Im2distParameter.L1:
                slope = np.where(slope > 0, 1, -1).astype(x.dtype)
                self._add_outside(of_top[:, place], pairs.top, pairs.inside, diff)
            slope *= of_top[:, place, None][pairs.inside]
            diff[pairs.middle] += slope
            diff[pairs.here] -= slope

    def _add_outside(self, of_top: np.ndarray, windows: tuple, inside: tuple, diff: np.ndarray) -> None:
        """Add slope -1 to the middles of windows whose pixel is outside."""
        rest = np.zeros_like(of_top)
        rest[windows] = of_top[windows]
        rest[inside] = 0
        geometry = self._geometry
        rows, columns = (
            slice(n.start * stride - pad + kernel // 2 * step, None, stride)
            for n, stride, pad, kernel, step in zip(
                windows[1:], geometry.stride, geometry.pad, geometry.kernel, geometry.dilation, strict=True
            )
        )
        rest = rest[windows][:, None]
        diff[:, :, rows, columns][..., : rest.shape[2], : rest.shape[3]] -= rest
