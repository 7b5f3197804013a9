"""RandomCrop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng

CHANNELS = 7  # two images and a disparity
GREY = 128  # of images outside; disparities are NaN there


@register("RandomCrop")
class RandomCrop(Layer):
    """Cuts pairs of images with their disparity at a random place, the same for the whole batch.

    bottom: N x 7 x H x W, two images and a disparity; top: N x 7 x target_height x target_width (random_crop_param).
    In TRAIN two numbers are drawn from Caffe's stream, for the column and then the row, which are from 0 to less than
    what is left over. In TEST, and where the bottom is smaller, the middle is taken; what lies outside is 128, and NaN
    in the disparity. Nothing takes a gradient. Raises LayerError for other channels, and where there are no pixels.
    Source: RandomCropLayer of leonzfa/iResNet, which is GPU code.
    """

    reads = ("random_crop_param",)
    origin = "iResNet"
    no_gradient = (0,)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.random_crop_param
        self.target = param.target_height, param.target_width
        if min(self.target) < 1:
            raise self.error(
                f"target_height is {self.target[0]} and target_width {self.target[1]}; expected 1 or more"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] != CHANNELS or min(shape[2:]) < 1:
            raise self.error(
                f"the bottom has the shape {shape}; expected N x {CHANNELS} x H x W, with pixels"
            )
        top[0].reshape(shape[0], CHANNELS, *self.target)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        draws = [caffe_rng().draw() if self.phase == TRAIN else None for _ in self.target][::-1]
        sides = zip(bottom[0].shape[2:], self.target, draws, strict=True)
        (rows, own_rows), (columns, own_columns) = (parts(*side) for side in sides)
        top[0].data[:, :-1], top[0].data[:, -1] = GREY, np.nan
        top[0].data[:, :, own_rows, own_columns] = bottom[0].data[:, :, rows, columns]


def parts(size: int, target: int, draw: int | None) -> tuple[slice, slice]:
    """What is taken of a side of `size` pixels, and where it comes to lie among `target`; draw: 32 bits."""
    spare = size - target
    offset = int(spare / 2)
    if draw is not None and spare > 0:
        offset = abs(draw - 2**32 if draw >= 2**31 else draw) % spare  # as a signed int of C
    elif draw is not None and spare == 0:
        offset = 0
    first, last = max(offset, 0), min(offset + target, size)
    return slice(first, last), slice(first - offset, last - offset)
