"""SlidingWindow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.attention_mask.windows import Windows
from caffe_compat.layers.registry import register


@register("SlidingWindow")
class SlidingWindow(Windows):
    """The windows of a map at all its places (sliding_window_param).

    bottom: 1 x C x H x W; top: (H + 1)(W + 1) x C x window_h x window_w, by rows: window (y, x) has its middle before
    row y and column x, and 0 outside of the map. Raises LayerError for windows that are not even, and other shapes.
    Source: SlidingWindowLayer of FastMask's Caffe (voidrank/caffe-fm) and of chwilms/AttentionMask, which read no
    strides.
    """

    reads = ("sliding_window_param",)
    origin = "FastMask"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        _, channels, height, width = bottom[0].shape
        top[0].reshape((height + 1) * (width + 1), channels, *self.window)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.cut(bottom[0], np.arange(top[0].num), top[0])
