"""LRN across channels, and Softmax."""

from __future__ import annotations

import math

from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.step_normalizing import lrn, softmax
from caffe_compat.layers.lrn import LRN
from caffe_compat.layers.softmax import Softmax


class Normalization(Step):
    """LRN over the channels around each one's own."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) is LRN and layer.across

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, (bottom,) = self.layers[0], bottoms[0]
        assert isinstance(layer, LRN)
        images, channels, height, width = bottom.shape
        alpha, beta, k = layer.coefficients
        row = self.row(
            function=lrn, parts=parts_of(bottom.count, LEAST_NUMBERS // 4, threads),
            images=images, channels=channels, width=height * width, local_size=layer.size,
            alpha=alpha, beta=beta, k=k, bottom=bottom, top=tops[0][0],
        )  # fmt: skip
        return [row]


class Probabilities(Step):
    """Softmax over one axis."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) is Softmax

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, (bottom,) = self.layers[0], bottoms[0]
        assert isinstance(layer, Softmax)
        outer, classes, inner = layer.view
        row = self.row(
            function=softmax, parts=parts_of(math.prod(layer.view), LEAST_NUMBERS // 8, threads),
            images=outer, channels=classes, width=inner, bottom=bottom, top=tops[0][0],
        )  # fmt: skip
        return [row]
