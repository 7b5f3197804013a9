"""CornerCrop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

# how many halves of what is cut away lie above, and to the left
_PLACES = {
    "center": (1, 1),
    "upperleft": (0, 0),
    "upperright": (0, 2),
    "lowerleft": (2, 0),
    "lowerright": (2, 2),
}


@register("CornerCrop")
class CornerCrop(Layer):
    """Cuts windows out of the middle or the corners of a map, one a top.

    bottom: N x C x H x W; tops: N x C x crop_h x crop_w (or crop_size both), as many as there are positions: center,
    upperleft, upperright, lowerleft or lowerright. H and W are greater than the window, by even numbers. As there, the
    gradient of a pixel is the mean of those of the windows that it is in, where the true one is their sum. Raises
    LayerError for params that do not fit.
    Source: CornerCropLayer of SplitNet (ZJULearning).
    """

    reads = ("corner_crop_param",)
    origin = "SplitNet"
    top_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.corner_crop_param
        if len(param.position) != len(top) or not {*param.position} <= {*_PLACES}:
            raise self.error(
                f"the positions are {list(param.position)}; expected one for each of {len(top)} tops, of "
                f"{', '.join(_PLACES)}"
            )
        whole = param.HasField("crop_size")
        self.size = (param.crop_size,) * 2 if whole else (param.crop_h, param.crop_w)
        if min(self.size) < 1:
            raise self.error(
                f"the crop is {self.size[0]} x {self.size[1]}; give crop_size, or crop_h and crop_w"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        cut = [all_ - kept for all_, kept in zip(shape[2:], self.size, strict=False)]
        if len(shape) != 4 or min(cut) < 1 or any(each % 2 for each in cut):
            raise self.error(
                f"the bottom has the shape {shape}; expected N x C x H x W, by even numbers larger than "
                f"{self.size}"
            )
        self.halves = [each // 2 for each in cut]
        for blob in top:
            blob.reshape(*shape[:2], *self.size)

    def starts(self) -> list[list[int]]:
        """The first row and column of each window."""
        places = [_PLACES[position] for position in self.layer_param.corner_crop_param.position]
        return [[count * half for count, half in zip(place, self.halves, strict=True)] for place in places]

    def _windows(self, array: np.ndarray) -> Iterator[np.ndarray]:
        for starts in self.starts():
            rows, columns = (
                slice(start, start + size) for start, size in zip(starts, self.size, strict=True)
            )
            yield array[..., rows, columns]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, window in zip(top, self._windows(bottom[0].data), strict=True):
            np.copyto(blob.data, window)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        diff, counts = bottom[0].diff, np.zeros(bottom[0].shape[2:], bottom[0].dtype)
        diff[...] = 0
        for blob, window, count in zip(top, self._windows(diff), self._windows(counts), strict=True):
            window += blob.diff
            count += 1
        diff /= np.maximum(counts, 1)
