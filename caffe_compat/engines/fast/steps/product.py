"""An InnerProduct and what follows it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.step import LEAST_PRODUCTS, Blobs, Calls, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.kernels import step_functions

MOST_ROWS = 16  # from here on, products of panels take less time


class Product(Step):
    """The weights are read where they are, once for a few rows of the bottom."""

    def __init__(self, layers: Sequence[Layer]):
        super().__init__(layers)
        self.pointed = [layers[0].blobs[0]]
        self._followers = Followers(layers[1:])
        self._scale = self._bias = self._slope = np.empty(0, np.float32)

    @staticmethod
    def fits(layer: Layer) -> bool:
        """Whether it has weights outputs x inputs, in float32."""
        param = layer.layer_param.inner_product_param
        return type(layer) is InnerProduct and not param.transpose and layer.dtype == np.float32

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        weights, top = self.layers[0].blobs[0], tops[-1][0]
        (outputs, depth), images = weights.shape, math.prod(top.shape[:-1])
        if images > MOST_ROWS:
            return None
        self._scale, self._bias, self._slope = (np.empty(outputs, np.float32) for _ in range(3))
        row = self.row(
            function=step_functions.product.address,
            parts=parts_of(images * outputs * depth, LEAST_PRODUCTS // 4, threads),
            images=images, outputs=outputs, depth=depth,
            bottom=bottoms[0][0], top=top, filters=weights,
            scale=self._scale, bias=self._bias, slope=self._slope, limit=self._followers.limit,
        )  # fmt: skip
        return [row]

    def load(self) -> None:
        bias = self.layers[0].blobs[1].data if len(self.layers[0].blobs) > 1 else None
        self._scale[:], self._bias[:] = self._followers.affine(len(self._scale), bias)
        self._slope[:] = self._followers.slopes()
