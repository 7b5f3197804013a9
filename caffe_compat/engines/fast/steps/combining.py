"""Concat, Slice and Eltwise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.concat import Concat
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.layers.kernels.step_combining import add, copy, product_or_maximum
from caffe_compat.layers.slice import Slice
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter


class Copies(Step):
    """Concat and Slice: each part is copied to its place in the whole, or from it."""

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) in (Concat, Slice)

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        layer = self.layers[0]
        assert isinstance(layer, Concat | Slice)
        return layer.axis > 0

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        layer = self.layers[0]
        assert isinstance(layer, Concat | Slice)
        joins = isinstance(layer, Concat)
        (whole,), parts = (tops[0], bottoms[0]) if joins else (bottoms[0], tops[0])
        apart, rows, place = math.prod(whole.shape[layer.axis :]), [], 0
        for part in parts:
            depth, there = math.prod(part.shape[layer.axis :]), (whole, place)
            fields = (
                dict(bottom=part, plane=depth, top=there, pitch=apart)
                if joins
                else dict(bottom=there, plane=apart, top=part, pitch=depth)
            )
            rows.append(
                self.row(
                    function=copy, parts=parts_of(part.count, LEAST_NUMBERS, threads),
                    images=math.prod(whole.shape[: layer.axis]), depth=depth, **fields,
                )
            )  # fmt: skip
            place += depth
        return rows


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
                    function=add,
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
                function=product_or_maximum(layer.operation == EltwiseParameter.MAX),
                parts=parts_of(top.count, LEAST_NUMBERS, threads),
                depth=top.count, bottom=bottom, added=added, top=top,
            )
            for bottom, added in [(first, second), *((other, top) for other in others)]
        ]  # fmt: skip
