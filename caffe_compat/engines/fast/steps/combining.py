"""Concat, and Eltwise with SUM."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.concat import Concat
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.layers.kernels.step_combining import add, copy
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
        outer, pitch = math.prod(top.shape[: layer.axis]), math.prod(top.shape[layer.axis :])
        result, place = [], 0
        for bottom in bottoms[0]:
            depth = math.prod(bottom.shape[layer.axis :])
            result.append(
                self.row(
                    function=copy.address,
                    parts=parts_of(bottom.count, LEAST_NUMBERS, threads),
                    images=outer,
                    depth=depth,
                    plane=depth,
                    pitch=pitch,
                    bottom=bottom,
                    top=(top, place),
                )
            )
            place += depth
        return result


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
