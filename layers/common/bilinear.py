"""What layers share that resize maps, corner pixels on corner pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import interp as kernels


class BilinearLayer(Layer):
    """bottom[0], N x C x H x W, less `pads` (at most 0) at its ends, resized to what `sizes` says.

    Of a bottom[1] only the shape, of 4 axes, counts, and its gradient is 0.
    """

    bottom_count = (1, 2)
    pads = (0, 0)

    def sizes(self, bottom: Sequence[Blob], height: int, width: int) -> tuple[int, ...]:
        """The height and width of the top; height and width are those that are left of bottom[0]."""
        return bottom[1].shape[2:]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in bottom:
            if len(blob.shape) != 4:
                raise self.error(f"a bottom has the shape {blob.shape}, expected 4 axes: N x C x H x W")
        shape, cut = bottom[0].shape, sum(self.pads)
        if min(shape[2:]) + cut < 1:
            raise self.error(
                f"pad_beg {self.pads[0]} and pad_end {self.pads[1]} leave nothing of a bottom of {shape}"
            )
        sizes = self.sizes(bottom, shape[2] + cut, shape[3] + cut)
        if min(sizes) < 1:
            raise self.error(f"bottom[1] has the shape {bottom[1].shape}: there is no size to take from it")
        top[0].reshape(*shape[:2], *sizes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        source, target = self._inner(bottom[0].data), _planes(top[0].data)
        if source.shape == target.shape:  # else 0 times a NaN beside a pixel would spoil it
            target[...] = source
        else:
            kernels.interp(source, target)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff[...] = 0
        if propagate_down[0]:
            source, target = self._inner(bottom[0].diff), _planes(top[0].diff)
            if source.shape == target.shape:
                source[...] = target
            else:
                kernels.interp_backward(target, source)

    def _inner(self, array: np.ndarray) -> np.ndarray:
        """The planes without what is cut off."""
        (begin, end), (height, width) = self.pads, array.shape[2:]
        return _planes(array)[:, -begin : height + end, -begin : width + end]


def _planes(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, *array.shape[2:])
