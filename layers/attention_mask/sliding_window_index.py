"""SlidingWindowIndex."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.attention_mask.places import check_list, flagged
from caffe_compat.layers.attention_mask.windows import Windows
from caffe_compat.layers.registry import register


@register("SlidingWindowIndex")
class SlidingWindowIndex(Windows):
    """The windows of a map at some places (sliding_window_param).

    bottom[0]: 1 x C x H x W; bottom[1]: 1 x 1 x 1 x (H + 1)(W + 1) flags, 1 where a window is taken. top:
    K x C x window_h x window_w, by rows; see Windows. Without any flag there is one window of 0. The flags take no
    gradient. Raises LayerError for windows that are not even, shapes that do not agree, and other flags.
    Source: SlidingWindowIndexLayer of chwilms/AttentionMask, which leaves in that window what stood there.
    """

    reads = ("sliding_window_param",)
    bottom_count = (2, 2)
    no_gradient = (1,)
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        top[0].reshape(1, bottom[0].channels, *self.window)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many windows there are is known after forward."""
        super().reshape(bottom, top)
        height, width = bottom[0].shape[2:]
        if check_list(self, bottom[1], "bottom[1]") != (height + 1) * (width + 1):
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; the map {bottom[0].shape} has {height + 1} x {width + 1} "
                "places"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        places = flagged(self, bottom[1])
        top[0].reshape(max(len(places), 1), bottom[0].channels, *self.window)
        top[0].data[len(places) :] = 0
        self.cut(bottom[0], places, top[0])
