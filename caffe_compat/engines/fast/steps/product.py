"""An InnerProduct and what follows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.step import LEAST_PRODUCTS, Blobs, Calls, Row, Step, parts_of
from caffe_compat.layers.base import Layer
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.kernels.step_product import at_once, product

MOST_ROWS, MOST_NUMBERS = 16, 2**18  # of a bottom (1 MB): of more, products of panels take less time


class Product(Step):
    """The weights are read where they are, once for a few rows of the bottom."""

    def __init__(self, layers: Sequence[Layer]):
        super().__init__(layers)
        self.pointed = [layers[0].blobs[0]]
        self._followers = Followers(layers[1:])

    @staticmethod
    def fits(layer: Layer) -> bool:
        return type(layer) is InnerProduct and not layer.layer_param.inner_product_param.transpose

    @staticmethod
    def has_channels(layer: Layer) -> bool:
        """Whether its outputs are the channels of what follows: the second axis."""
        return layer.layer_param.inner_product_param.axis == 1

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        weights, top = self.layers[0].blobs[0], tops[-1][0]
        if not suits(math.prod(top.shape[:-1]), bottoms[0][0].count):
            return None
        fields = self._followers.fields(weights.shape[0])
        return [product_row(self, bottoms[0][0], top, weights, threads, **fields)]

    def load(self) -> None:
        biases = [blob.data for blob in self.layers[0].blobs[1:]]
        self._followers.load(*biases)


def suits(rows: int, numbers: int) -> bool:
    """Whether a bottom of so many rows, which have so many numbers, is read fast enough again and again."""
    return rows <= MOST_ROWS or numbers <= MOST_NUMBERS


def product_row(
    step: Step, bottom: Blob, top: Blob, weights: Blob | np.ndarray, threads: int, **fields: Any
) -> Row:
    """top (images x outputs) = the product of the bottom's rows with those of the weights.

    fields: of what becomes of the sums: those of Followers.
    """
    outputs, depth = weights.shape[0], math.prod(weights.shape[1:])
    images = top.count // outputs
    together = at_once(images, outputs)
    return step.row(
        function=product(*together), scratch_size=math.prod(together),
        parts=parts_of(images * outputs * depth, LEAST_PRODUCTS // 4, threads),
        images=images, outputs=outputs, depth=depth,
        bottom=bottom, top=top, filters=weights, **fields,
    )  # fmt: skip
