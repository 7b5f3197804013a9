"""Layers by themselves that work channel by channel: BatchNorm with the params' statistics, Scale, ReLU, PReLU."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.step_channels import channels


class Channels(Step):
    """One pass over the blob for all of them."""

    def __init__(self, layers: Sequence[Layer]):
        super().__init__(layers)
        self._followers = Followers(layers)

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        shape = bottoms[0][0].shape
        if len(shape) < 2 or not math.prod(shape):
            return None
        row = self.row(
            function=channels,
            parts=parts_of(math.prod(shape), LEAST_NUMBERS, threads),
            images=shape[0], channels=shape[1], width=math.prod(shape[2:]),
            bottom=bottoms[0][0], top=tops[-1][0], **self._followers.fields(shape[1]),
        )  # fmt: skip
        return [row]

    def load(self) -> None:
        self._followers.load()
