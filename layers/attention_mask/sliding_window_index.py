"""SlidingWindowIndex."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.attention_mask.places import check_list, flagged
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("SlidingWindowIndex")
class SlidingWindowIndex(Layer):
    """The windows of a map at some places (sliding_window_param).

    bottom[0]: 1 x C x H x W; bottom[1]: 1 x 1 x 1 x (H + 1)(W + 1) flags, 1 where a window is taken. top:
    K x C x window_h x window_w, by rows; the place (y, x) is the window's middle, before row y and column x, and what
    it has outside of the map is 0. Without any flag there is one window of 0. The flags take no gradient. Raises
    LayerError for windows that are not even, shapes that do not agree, and other flags.
    Source: SlidingWindowIndexLayer of chwilms/AttentionMask, which leaves in that window what stood there, and reads no
    strides.
    """

    reads = ("sliding_window_param",)
    origin = "AttentionMask"
    without_effect = ("sliding_window_param.stride_h", "sliding_window_param.stride_w")
    bottom_count = (2, 2)
    no_gradient = (1,)
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.sliding_window_param
        self.window = param.window_h, param.window_w
        if min(self.window) < 1 or any(side % 2 for side in self.window):
            raise self.error(
                f"window_h is {self.window[0]} and window_w {self.window[1]}; both must be even, above 0"
            )
        self.padded = Blob((), bottom[0].dtype)
        top[0].reshape(1, bottom[0].channels, *self.window)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many windows there are is known after forward."""
        shape = bottom[0].shape
        if len(shape) != 4 or shape[0] != 1:
            raise self.error(f"bottom[0] has the shape {shape}; expected 1 x C x H x W")
        height, width = shape[2:]
        if check_list(self, bottom[1], "bottom[1]") != (height + 1) * (width + 1):
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; the map {shape} has {height + 1} x {width + 1} places"
            )
        self.padded.reshape(shape[1], height + self.window[0], width + self.window[1])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.places = np.divmod(flagged(self, bottom[1]), bottom[0].width + 1)
        count = len(self.places[0])
        top[0].reshape(max(count, 1), bottom[0].channels, *self.window)
        self.padded.data[...] = 0
        self._map(self.padded.data)[...] = bottom[0].data[0]
        windows = np.lib.stride_tricks.sliding_window_view(self.padded.data, self.window, axis=(1, 2))
        top[0].data[...] = windows[:, self.places[0], self.places[1]].swapaxes(0, 1) if count else 0

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff, (height, width) = self.padded.diff, self.window
        diff[...] = 0
        for window, y, x in zip(top[0].diff, *self.places, strict=False):
            diff[:, y : y + height, x : x + width] += window
        bottom[0].diff[0] = self._map(diff)

    def _map(self, padded: np.ndarray) -> np.ndarray:
        """The part of a padded map that is the map."""
        top, left = (side // 2 for side in self.window)
        return padded[:, top : padded.shape[1] - top, left : padded.shape[2] - left]
