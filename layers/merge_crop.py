"""MergeCrop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import MergeCropParameter


@register("MergeCrop")
class MergeCrop(Layer):
    """bottom[0] and the middle of bottom[1], of bottom[0]'s size: one behind the other, or their sum.

    bottom[0]: N x C x D1 x D2 ..., bottom[1]: N x C x E1 x E2 ..., where E is D at least; of E - D elements that are
    too many, half, rounded down, are before the middle. top[0]: N x 2 C x D1 x D2 ... with operation STACK, with ADD
    N x C x D1 x D2 .... mergecrop_param.forward and backward, once for each bottom, say whether it counts, else it is
    0, and whether it takes a gradient, else that is 0; of bottom[1] it is 0 unless they say so.
    Raises LayerError for other shapes, and for bottoms of different numbers of channels, which the original mixes up.
    Source: MergeCropLayer of naibaf7's Caffe, a GPU's.
    """

    reads = ("mergecrop_param",)
    origin = "naibaf7"
    bottom_count = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mergecrop_param
        for name in ("forward", "backward"):
            if len(getattr(param, name)) > 2:
                raise self.error(f"{name} is given {len(getattr(param, name))} times; there are 2 bottoms")
        self.counts = (*param.forward, True, True)[:2]
        self.learns = (*param.backward, *(True, False)[len(param.backward) :])
        self.adds = param.operation == MergeCropParameter.ADD

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        small, large = (blob.shape for blob in bottom)
        fits = len(small) == len(large) >= 2 and small[:2] == large[:2]
        if not fits or any(a > b for a, b in zip(small[2:], large[2:], strict=True)):
            raise self.error(
                f"the bottoms have the shapes {small} and {large}; expected as many images and channels, and bottom[1] "
                "as large at least"
            )
        starts = [(b - a) // 2 for a, b in zip(small[2:], large[2:], strict=True)]
        inside = [slice(start, start + a) for start, a in zip(starts, small[2:], strict=True)]
        self.middle: tuple[slice, ...] = (slice(None), slice(None), *inside)
        top[0].reshape(small[0], small[1] * (1 if self.adds else 2), *small[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        parts = bottom[0].data, bottom[1].data[self.middle]
        if self.adds:
            top[0].data[...] = 0
            for part, counts in zip(parts, self.counts, strict=True):
                if counts:
                    top[0].data[...] += part
            return
        for half, part, counts in zip(self._halves(top[0].data), parts, self.counts, strict=True):
            half[...] = part if counts else 0

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diffs = (top[0].diff, top[0].diff) if self.adds else self._halves(top[0].diff)
        for i, place in enumerate(((slice(None),), self.middle)):
            if propagate_down[i]:
                bottom[i].diff[...] = 0
                if self.learns[i]:
                    bottom[i].diff[place] = diffs[i]

    def _halves(self, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        channels = array.shape[1] // 2
        return array[:, :channels], array[:, channels:]
