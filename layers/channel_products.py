"""Spfilter, FilterSum and LinearSum: products of maps with one map, or with a number a channel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Spfilter")
class Spfilter(Layer):
    """Multiplies all channels of each bottom but the last by the last one.

    bottoms: N x C x H x W, any C, and N x ... of H W numbers an image; tops: those of all but the last. Raises
    LayerError for shapes that do not fit. Source: SpfilterLayer of hyojinie/crn; Kim et al., Learned Contextual Feature
    Reweighting (2017).
    """

    reads = ()
    origin = "hyojinie"
    bottom_count = (2, None)
    top_count = (1, None)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        pixels = bottom[-1].count // max(bottom[-1].num, 1)
        if len(top) != len(bottom) - 1:
            raise self.error(f"there are {len(top)} tops for {len(bottom)} bottoms; expected one fewer")
        if any(len(s) != 4 or s[0] != bottom[-1].num or math.prod(s[2:]) != pixels for s in shapes[:-1]):
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected N x C x H x W, and N x H W at last"
            )
        for blob, shape in zip(top, shapes, strict=False):
            blob.reshape(*shape)
        self.pixels = pixels

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for below, above in zip(bottom, top, strict=False):
            np.multiply(self._maps(below.data), self._one(bottom[-1].data), out=self._maps(above.data))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for below, above, wanted in zip(bottom, top, propagate_down, strict=False):
            if wanted:
                np.multiply(self._maps(above.diff), self._one(bottom[-1].data), out=self._maps(below.diff))
        if propagate_down[-1]:
            one = self._one(bottom[-1].diff)
            one.fill(0)
            for below, above in zip(bottom, top, strict=False):
                one += np.einsum("ncp,ncp->np", self._maps(below.data), self._maps(above.diff))[:, None]

    def _maps(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(*array.shape[:2], self.pixels)

    def _one(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(len(array), 1, self.pixels)


@register("FilterSum")
class FilterSum(Layer):
    """The sum of an image's channels, each times its number.

    bottom[0]: N x C x H x W; bottom[1]: N x C numbers (axes behind are 1); top: N x 1 x H x W. The numbers' gradient is
    the sum of absolute values where the true one is their sum, as there. Raises LayerError for other shapes.
    Source: FilterSumLayer of TransferNet (maga33).
    """

    reads = ()
    origin = "TransferNet"
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or bottom[1].shape[:2] != shape[:2] or bottom[1].count != math.prod(shape[:2]):
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x C x H x W, N x C"
            )
        self.view = *shape[:2], math.prod(shape[2:])
        top[0].reshape(shape[0], 1, *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, numbers = bottom[0].data.reshape(self.view), bottom[1].data.reshape(self.view[0], 1, self.view[1])
        np.matmul(numbers, x, out=top[0].data.reshape(self.view[0], 1, self.view[2]))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        x, diff = bottom[0].data.reshape(self.view), top[0].diff.reshape(self.view[0], 1, self.view[2])
        if propagate_down[0]:
            np.multiply(
                bottom[1].data.reshape(*self.view[:2], 1), diff, out=bottom[0].diff.reshape(self.view)
            )
        if propagate_down[1]:
            np.sum(np.abs(x * diff), axis=2, out=bottom[1].diff.reshape(self.view[:2]))


@register("LinearSum")
class LinearSum(Layer):
    """The sum over pixels of each channel times a map.

    bottom[0]: N x C x ...; bottom[1]: N x 1 x ..., its pixels; top: N x C. Raises LayerError for other shapes.
    Source: LinearSumLayer of TransferNet (maga33); Hong et al., Learning Transferrable Knowledge (2016).
    """

    reads = ()
    origin = "TransferNet"
    bottom_count = (2, 2)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2 or bottom[1].shape != (shape[0], 1, *shape[2:]):
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x C x ..., N x 1 x ..."
            )
        self.view = *shape[:2], math.prod(shape[2:])
        top[0].reshape(*shape[:2])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, one = bottom[0].data.reshape(self.view), bottom[1].data.reshape(self.view[0], self.view[2], 1)
        np.matmul(x, one, out=top[0].data.reshape(*self.view[:2], 1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff = top[0].diff.reshape(*self.view[:2], 1)
        if propagate_down[0]:
            np.multiply(
                diff,
                bottom[1].data.reshape(self.view[0], 1, self.view[2]),
                out=bottom[0].diff.reshape(self.view),
            )
        if propagate_down[1]:
            x, one = bottom[0].data.reshape(self.view), bottom[1].diff.reshape(self.view[0], 1, self.view[2])
            np.matmul(diff.swapaxes(1, 2), x, out=one)
