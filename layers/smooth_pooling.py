"""SmoothPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register

LEAST = np.float32(0.01)  # what counts of a smoothness below it


@register("SmoothPooling")
class SmoothPooling(Layer):
    """Between the maximum and the sum of each channel, by a learned smoothness mu (smooth_pooling_param).

    bottom[0]: N x C x H x W; top[0]: N x C x 1 x 1, the greatest w.x - mu / 2 w.w (without the second term with
    fix_smooth, where mu does not learn) of weights w that are not negative and add up to z; top[1], if wanted: the
    weights, N x C x H x W, without a gradient. A max_value above 0 and all pixels is as one pixel more. mu is
    params[0], 1 x 1 x 1 x 1, or without unique_smooth 1 x C x 1 x 1; without has_smooth_blobs it is bottom[1], N x 1 or
    N x C (axes behind are 1). Raises LayerError for other shapes and counts.
    Source: SmoothPoolingLayer of yi94code's HRSOD. The weights are found by sorting: Duchi et al., Efficient
    Projections onto the l1-Ball (2008).
    """

    reads = ("smooth_pooling_param",)
    origin = "HRSOD"
    bottom_count = (1, 2)
    top_count = (1, 2)
    param_axes = (("one", "channel", "one", "one"),)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.smooth_pooling_param
        if len(bottom) != 2 - param.has_smooth_blobs:
            raise self.error(
                f"has {len(bottom)} bottom(s); the smoothness is a param with has_smooth_blobs, else bottom[1]"
            )
        if not param.z > 0:
            raise self.error(f"z is {param.z:g}; it must be above 0")
        if param.has_smooth_blobs:
            channels = 1 if param.unique_smooth else bottom[0].channels
            set_up_params(self, ((1, channels, 1, 1), param.smooth_filler))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, unique = bottom[0].shape, self.layer_param.smooth_pooling_param.unique_smooth
        if len(shape) != 4 or 0 in shape[2:]:
            raise self.error(f"bottom[0] has the shape {shape}, expected N x C x H x W")
        smooths = [self.blobs[0].shape[1]] if self.blobs else [bottom[1].count // max(shape[0], 1)]
        if smooths != [1 if unique else shape[1]] or (
            len(bottom) > 1 and bottom[1].count != shape[0] * smooths[0]
        ):
            given = (bottom[1:] or self.blobs)[0].shape
            raise self.error(f"the smoothness has the shape {given}, bottom[0] {shape}; see unique_smooth")
        top[0].reshape(*shape[:2], 1, 1)
        for blob in top[1:]:
            blob.reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.smooth_pooling_param
        x = bottom[0].data.reshape(*top[0].shape[:2], bottom[0].height * bottom[0].width)
        smooth = np.maximum(self._smooth(bottom), LEAST)[..., None]
        scaled, greatest = x / smooth, x.max(axis=2, keepdims=True)
        counts = (param.max_value > 0) & (param.max_value > greatest)
        one_more = np.where(counts, param.max_value, greatest) / smooth - ~counts * self.dtype(param.z + 1)
        weights = simplex_weights(np.concatenate([scaled, one_more], axis=2), param.z)
        self.weights, of_more = weights[..., :-1], weights[..., -1]
        self.squares = (weights * weights).sum(axis=2)
        result = (self.weights * x).sum(axis=2) + of_more * self.dtype(param.max_value)
        if not param.fix_smooth:
            result -= smooth[..., 0] * self.squares / 2
        top[0].data[...] = result.reshape(top[0].shape)
        for blob in top[1:]:
            blob.data[...] = self.weights.reshape(blob.shape)

    def _smooth(self, bottom: Sequence[Blob]) -> np.ndarray:
        """N x C, or what takes part as such."""
        return (
            self.blobs[0].data[..., 0, 0]
            if self.blobs
            else bottom[1].data.reshape(bottom[0].num, bottom[1].count // max(bottom[0].num, 1))
        )

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        param, diff = self.layer_param.smooth_pooling_param, top[0].diff[..., 0, 0]
        if propagate_down[0]:
            bottom[0].diff[...] = (diff[..., None] * self.weights).reshape(bottom[0].shape)
        of_smooth = self.squares * diff * np.float32(0 if param.fix_smooth else -0.5)
        if param.unique_smooth:
            of_smooth = of_smooth.sum(axis=1, keepdims=True)
        if len(bottom) > 1 and propagate_down[1]:
            bottom[1].diff[...] = of_smooth.reshape(bottom[1].shape)
        if self.blobs and self.propagates_to(0):
            self.blobs[0].diff[...] += of_smooth.sum(axis=0).reshape(self.blobs[0].shape)


def simplex_weights(values: np.ndarray, total: float) -> np.ndarray:
    """The nearest numbers, along the last axis, that are not negative and add up to total."""
    falling = -np.sort(-values.astype(np.float64), axis=-1)
    excess = falling.cumsum(axis=-1) - total
    counts = np.arange(1, values.shape[-1] + 1)
    last = (falling * counts > excess).sum(axis=-1, keepdims=True)
    threshold = np.take_along_axis(excess, last - 1, axis=-1) / last
    return np.maximum(values - threshold, 0).astype(values.dtype)
