"""Scale by another blob, and Axpy, then perhaps a ReLU: one pass, with a factor of the blob for each plane."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.axpy import Axpy
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.kernels.step_channels import channels
from caffe_compat.layers.scale import Scale


class Scaled(Step):
    """top = f(scale * bottom + added): a Scale of two bottoms without a bias, which adds nothing, or an Axpy."""

    def __init__(self, layers: Sequence[Layer]):
        super().__init__(layers)
        self._followers = Followers(layers[1:])

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) is Axpy or (type(layer) is Scale and not layer.blobs)

    @staticmethod
    def keeps_enough(layer: Layer) -> bool:
        return type(layer) is Axpy

    def _axis(self, bottom: Blob) -> int:
        """The axis of the bottom that the scale's first one is."""
        layer = self.layers[0]
        return 0 if type(layer) is Axpy else canonical_axis(layer, layer.layer_param.scale_param.axis, bottom)

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return self._axis(tops[0][0]) == 0

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        added: Blob | int = 0
        if type(self.layers[0]) is Axpy:
            scale, bottom, added = bottoms[0]
        else:
            bottom, scale = bottoms[0]
        images = math.prod(bottom.shape[: self._axis(bottom)])
        row = self.row(
            function=channels, parts=parts_of(bottom.count, LEAST_NUMBERS, threads),
            images=images, channels=scale.count, width=bottom.count // (images * scale.count),
            bottom=bottom, added=added, top=tops[-1][0], **self._followers.fields(scale.count) | {"scale": scale},
        )  # fmt: skip
        return [row]

    def load(self) -> None:
        self._followers.load()
