"""Dtow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import DtowParameter

ZIGZAG = DtowParameter.LDTOW, DtowParameter.LWTOD
TO_WIDTH = DtowParameter.MDTOW, DtowParameter.LDTOW


def diagonals(size: int) -> np.ndarray:
    """The pixels of a size x size block by diagonals, each from the top row or right column down to the left.

    Of each, its number in the block's rows.
    """
    rows, columns = np.divmod(np.arange(size * size), size)
    return np.lexsort((rows, rows + columns))


@register("Dtow")
class Dtow(Layer):
    """Channels become blocks of psize x psize pixels (MDTOW, LDTOW), or blocks become channels (MWTOD, LWTOD).

    bottom: N x C x H x W; top: N x C / p p x H p x W p, p being psize, or N x C p p x H / p x W / p. Channel c p p + k
    has pixel k of the blocks of channel c, by rows; with LDTOW and LWTOD by diagonals, and as runs of ngroup channels:
    channel (b p p + k) ngroup + g has that of channel b ngroup + g. Raises LayerError for dims that do not fit.
    Source: DtowLayer of CCN (limuhit), which SICE has too; Li et al., Efficient and Effective Context-Based
    Convolutional Entropy Modeling for Image Compression (2020).
    """

    reads = ("dtow_param",)
    origin = "CCN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.dtow_param
        if min(param.psize, param.ngroup) < 1:
            raise self.error(f"psize is {param.psize} and ngroup {param.ngroup}; they must be at least 1")
        self.zigzag, self.to_width = param.method in ZIGZAG, param.method in TO_WIDTH
        self.size, self.group = param.psize, param.ngroup if self.zigzag else 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, p, group = bottom[0].shape, self.size, self.group
        least = (group * p * p, 1, 1) if self.to_width else (group, p, p)
        if len(shape) != 4 or any(size % part for size, part in zip(shape[1:], least, strict=True)):
            raise self.error(
                f"the bottom has the shape {shape}; expected N x C x H x W, C, H and W multiples of {least}"
            )
        n, c, h, w = shape
        if self.to_width:
            top[0].reshape(n, c // (p * p), h * p, w * p)
        else:
            top[0].reshape(n, c * p * p, h // p, w // p)
        self.deep = c if self.to_width else c * p * p  # channels of the side that has blocks in them
        self.order = diagonals(p) if self.zigzag else np.arange(p * p)

    def channels(self, count: int) -> np.ndarray:
        """Of `count` channels that are blocks, in the order of MDTOW, which they are here."""
        p, group = self.size, self.group
        runs = np.arange(count).reshape(-1, p * p, group)
        return runs[:, np.argsort(self.order)].swapaxes(1, 2).ravel()

    def _copy(self, deep: np.ndarray, wide: np.ndarray, to_width: bool) -> None:
        """Between what has the blocks in its channels and what has them as pixels."""
        n, c, h, w = deep.shape
        p, group = self.size, self.group
        runs = c // (p * p * group)
        channels = deep.reshape(n, runs, p * p, group, h, w)
        pixels = wide.reshape(n, runs, group, h, p, w, p).transpose(0, 1, 4, 6, 2, 3, 5)
        for k, at in enumerate(self.order):
            pixel = pixels[:, :, at // p, at % p]
            out, given = (pixel, channels[:, :, k]) if to_width else (channels[:, :, k], pixel)
            np.copyto(out, given)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        deep, wide = (bottom, top) if self.to_width else (top, bottom)
        self._copy(deep[0].data, wide[0].data, self.to_width)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            deep, wide = (bottom, top) if self.to_width else (top, bottom)
            self._copy(deep[0].diff, wide[0].diff, not self.to_width)
