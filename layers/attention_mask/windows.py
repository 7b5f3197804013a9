"""What SlidingWindow and SlidingWindowIndex share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


class Windows(Layer):
    """Cuts windows of sliding_window_param.window_h x window_w out of bottom[0], 1 x C x H x W.

    A place (y, x) is the window's middle, before row y and column x; what it has outside of the map is 0. Strides are
    not read, as in the original.
    """

    origin = "AttentionMask"
    without_effect = ("sliding_window_param.stride_h", "sliding_window_param.stride_w")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.sliding_window_param
        self.window = param.window_h, param.window_w
        if min(self.window) < 1 or any(side % 2 for side in self.window):
            raise self.error(
                f"window_h is {self.window[0]} and window_w {self.window[1]}; both must be even, above 0"
            )
        self.padded = Blob((), bottom[0].dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[0] != 1:
            raise self.error(f"bottom[0] has the shape {shape}; expected 1 x C x H x W")
        self.padded.reshape(shape[1], shape[2] + self.window[0], shape[3] + self.window[1])

    def cut(self, bottom: Blob, places: np.ndarray, top: Blob) -> None:
        """Write the windows at these places, numbers from 0 by rows, into the first rows of the top."""
        self.places = np.divmod(places, bottom.width + 1)
        self.padded.data[...] = 0
        self._map(self.padded.data)[...] = bottom.data[0]
        windows = np.lib.stride_tricks.sliding_window_view(self.padded.data, self.window, axis=(1, 2))
        top.data[: len(places)] = windows[:, self.places[0], self.places[1]].swapaxes(0, 1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff, (y, x) = self.padded.diff, self.places
        diff[...] = 0
        for row, column in np.ndindex(self.window):  # backwards: a pixel's windows in their order
            down, right = self.window[0] - 1 - row, self.window[1] - 1 - column
            diff[:, y + down, x + right] += top[0].diff[: len(y), :, down, right].T
        bottom[0].diff[0] = self._map(diff)

    def _map(self, padded: np.ndarray) -> np.ndarray:
        """The part of a padded map that is the map."""
        top, left = (side // 2 for side in self.window)
        return padded[:, top : padded.shape[1] - top, left : padded.shape[2] - left]
