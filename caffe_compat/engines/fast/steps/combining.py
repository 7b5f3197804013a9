"""Concat, Slice and Eltwise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.concat import Concat
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.layers.kernels.step_combining import add, copy, product_or_maximum
from caffe_compat.layers.slice import Slice
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter


class Concatenation(Step):
    """Each bottom is copied to its place in the top."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) is Concat

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        layer = self.layers[0]
        assert isinstance(layer, Concat)
        return layer.axis > 0

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, top = self.layers[0], tops[0][0]
        assert isinstance(layer, Concat)
        return [
            self.row(
                function=copy.address, parts=parts_of(bottom.count, LEAST_NUMBERS, threads),
                images=math.prod(top.shape[: layer.axis]), depth=depth, plane=depth,
                pitch=math.prod(top.shape[layer.axis :]), bottom=bottom, top=(top, place),
            )
            for bottom, depth, place in _places(bottoms[0], layer.axis)
        ]  # fmt: skip


class Cutting(Step):
    """Each top is copied from its place in the bottom."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) is Slice

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        layer = self.layers[0]
        assert isinstance(layer, Slice)
        return layer.axis > 0

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, bottom = self.layers[0], bottoms[0][0]
        assert isinstance(layer, Slice)
        return [
            self.row(
                function=copy.address, parts=parts_of(top.count, LEAST_NUMBERS, threads),
                images=math.prod(bottom.shape[: layer.axis]), depth=depth, pitch=depth,
                plane=math.prod(bottom.shape[layer.axis :]), bottom=(bottom, place), top=top,
            )
            for top, depth, place in _places(tops[0], layer.axis)
        ]  # fmt: skip


def _places(blobs: Sequence[Blob], axis: int) -> Iterator[tuple[Blob, int, int]]:
    """Each blob, how many numbers it has from an axis on, and how many the blobs before it have."""
    place = 0
    for blob in blobs:
        depth = math.prod(blob.shape[axis:])
        yield blob, depth, place
        place += depth


class Sum(Step):
    """Eltwise with SUM of bottoms with coefficients, and perhaps a ReLU behind it."""

    def __init__(self, layers: Sequence[Layer]):
        super().__init__(layers)
        self._followers = Followers(layers[1:])

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) is Eltwise and layer.operation == EltwiseParameter.SUM and not layer.draws

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, top = self.layers[0], tops[-1][0]
        assert isinstance(layer, Eltwise)
        result, added, beta = [], bottoms[0][0], layer.coeffs[0]
        for i, (bottom, alpha) in enumerate(zip(bottoms[0][1:], layer.coeffs[1:], strict=True), 2):
            last = i == len(bottoms[0])
            result.append(
                self.row(
                    function=add.address,
                    parts=parts_of(top.count, LEAST_NUMBERS, threads),
                    depth=top.count,
                    bottom=bottom,
                    added=added,
                    top=top,
                    alpha=alpha,
                    beta=beta,
                    **(self._followers if last else Followers([])).fields(1),
                )
            )
            added, beta = top, np.float32(1)
        return result

    def load(self) -> None:
        self._followers.load()


class ProductOrMaximum(Step):
    """Eltwise with PROD or MAX."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) is Eltwise and layer.operation != EltwiseParameter.SUM

    @staticmethod
    def keeps_enough(layer: Layer) -> bool:
        assert isinstance(layer, Eltwise)
        return layer.operation == EltwiseParameter.PROD

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer, top = self.layers[0], tops[0][0]
        assert isinstance(layer, Eltwise)
        first, second, *others = bottoms[0]
        return [
            self.row(
                function=product_or_maximum(layer.operation == EltwiseParameter.MAX).address,
                parts=parts_of(top.count, LEAST_NUMBERS, threads),
                depth=top.count, bottom=bottom, added=added, top=top,
            )
            for bottom, added in [(first, second), *((other, top) for other in others)]
        ]  # fmt: skip
