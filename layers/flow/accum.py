"""Accum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import interp as kernels
from caffe_compat.layers.registry import register


@register("Accum")
class Accum(Layer):
    """All channels of maps of different sizes, resized to one of them (accum_param).

    bottoms: N x C x H x W, C, H and W of each. top: N x sum of C x H' x W', of the largest height and width, or
    top_height x top_width where both of these are larger, or the next multiples of size_divisible_by; with
    have_reference those of the last bottom, of which nothing else counts and which has a gradient of 0. Resizing is
    bilinear, corner pixels on corner pixels. Raises LayerError for other axes and other numbers of images.

    Source: AccumLayer of lmb-freiburg/flownet2, which divides by 0 for a top of one row or column; here that is the
    bottom's first.
    """

    reads = ("accum_param",)
    bottom_count = (1, None)
    origin = "FlowNet2"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.accum_param
        shapes = [blob.shape for blob in bottom]
        if any(len(shape) != 4 or shape[0] != shapes[0][0] or 0 in shape[2:] for shape in shapes):
            raise self.error(f"the bottoms have the shapes {shapes}; expected N x C x H x W, with one N")
        if param.have_reference and len(bottom) < 2:
            raise self.error("have_reference needs a second bottom, which says the size; give it")
        self.used = len(bottom) - param.have_reference
        channels = sum(shape[1] for shape in shapes[: self.used])
        top[0].reshape(shapes[0][0], channels, *self._sizes(shapes))

    def _sizes(self, shapes: list[tuple[int, ...]]) -> Sequence[int]:
        param = self.layer_param.accum_param
        if param.have_reference:
            return shapes[-1][2:]
        largest = [max(shape[axis] for shape in shapes) for axis in (2, 3)]
        wanted = [param.top_height, param.top_width]
        if param.HasField("size_divisible_by"):
            step = param.size_divisible_by
            if step < 1:
                raise self.error("size_divisible_by is 0; give a positive one, or remove it")
            wanted = [-(-size // step) * step for size in largest]
        larger = all(size > most for size, most in zip(wanted, largest, strict=True))
        return wanted if larger else largest

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, part in zip(bottom, self._parts(bottom, top[0].data), strict=False):
            if blob.shape == part.shape:  # else 0 times a NaN beside a pixel would spoil it
                part[...] = blob.data
                continue
            resized = np.empty_like(part)
            kernels.interp(_planes(blob.data), _planes(resized))
            part[...] = resized

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff[...] = 0
        for i, part in enumerate(self._parts(bottom, top[0].diff)):
            if propagate_down[i]:
                kernels.interp_backward(_planes(part.copy()), _planes(bottom[i].diff))

    def _parts(self, bottom: Sequence[Blob], array: np.ndarray) -> list[np.ndarray]:
        """The channels of each bottom in an array of the top's shape."""
        ends = np.cumsum([blob.channels for blob in bottom[: self.used]])
        return np.split(array, ends[:-1], axis=1)


def _planes(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
