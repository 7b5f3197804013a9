"""TSN's reduction of one axis, which makes one clip's scores of those of its parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import ReductionParameter

OPERATIONS = (ReductionParameter.SUM, ReductionParameter.MEAN, ReductionParameter.TOPK)


@register("BatchReduction")
class BatchReduction(Layer):
    """The SUM or the MEAN along reduction_param.axis, or the mean of the k greatest (TOPK).

    bottom: any shape; top: the same without the axis. level: the axis has the parts of a pyramid on end, level * level
    elements for each level, and stays in the top with one element for each; a single level of 1, the default, means the
    whole axis. pos: the axis and the one behind it have one size; of both the elements with equal indices are taken.
    Of reduction_param, coeff changes nothing.

    Raises LayerError for other operations, and for params that do not fit.
    Source: BatchReductionLayer of TSN's fork of Caffe (yjxiong/caffe).
    """

    reads = ("batch_reduction_param",)
    origin = "TSN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.batch_reduction_param
        self.operation, self.k = param.reduction_param.operation, param.reduction_param.k
        self._levels = list(param.level) or [1]
        name = ReductionParameter.ReductionOp.Name(self.operation)
        if self.operation not in OPERATIONS:
            raise self.error(f"operation {name} is not one of SUM, MEAN and TOPK")
        if len(self._levels) > 1 and (param.pos or self.operation == ReductionParameter.TOPK):
            raise self.error("pos and operation TOPK work with one level only")
        if param.pos and self.operation == ReductionParameter.TOPK:
            raise self.error("pos works with SUM and MEAN only")
        if min(self._levels) < 1:
            raise self.error(f"level is {self._levels}; it must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.batch_reduction_param, bottom[0].shape
        axis = canonical_axis(self, param.reduction_param.axis, bottom[0])
        whole = self._levels == [1]
        self._parts = [shape[axis]] if whole else [level * level for level in self._levels]
        if sum(self._parts) != shape[axis]:
            raise self.error(
                f"axis {axis} of a bottom of shape {shape} needs {sum(self._parts)} elements for level {self._levels}"
            )
        if param.pos and shape[axis + 1 : axis + 2] != shape[axis : axis + 1]:
            raise self.error(
                f"pos needs two axes of one size, {axis} and the next; the bottom has the shape {shape}"
            )
        if self.operation == ReductionParameter.TOPK and not 1 <= self.k <= shape[axis]:
            raise self.error(f"k is {self.k}; it must be from 1 to the {shape[axis]} elements of axis {axis}")
        rest = shape[axis + 1 + param.pos :]
        self._view = math.prod(shape[:axis]), shape[axis], math.prod(rest)
        top[0].reshape(*shape[:axis], *([] if whole else [len(self._levels)]), *rest)

    def _taken(self, array: np.ndarray) -> np.ndarray:
        """outer x elements x inner, a view of what is reduced."""
        outer, size, inner = self._view
        if not self.layer_param.batch_reduction_param.pos:
            return array.reshape(self._view)
        places = array.reshape(outer, size * size, inner)
        return places[:, :: size + 1]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = (
            self._taken(bottom[0].data),
            top[0].data.reshape(self._view[0], len(self._parts), self._view[2]),
        )
        if self.operation == ReductionParameter.TOPK:
            order = np.argsort(-x, axis=1, kind="stable")[:, : self.k]
            self._greatest = np.zeros(x.shape, bool)
            np.put_along_axis(self._greatest, order, True, axis=1)
            y[:, 0] = np.take_along_axis(x, order, axis=1).mean(axis=1)
            return
        for part, out in zip(self._split(x), np.moveaxis(y, 1, 0), strict=True):
            out[...] = part.sum(axis=1) * self._coeff(part)

    def _split(self, array: np.ndarray) -> list[np.ndarray]:
        return np.split(array, np.cumsum(self._parts)[:-1], axis=1)

    def _coeff(self, part: np.ndarray) -> np.floating:
        mean = self.operation == ReductionParameter.MEAN
        return part.dtype.type(1 / part.shape[1] if mean else 1)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        bottom[0].diff[...] = 0
        x_diff = self._taken(bottom[0].diff)
        diff = top[0].diff.reshape(self._view[0], len(self._parts), 1, self._view[2])
        if self.operation == ReductionParameter.TOPK:
            x_diff[...] = diff[:, 0] / self.k * self._greatest
            return
        for i, part in enumerate(self._split(x_diff)):
            part[...] = diff[:, i] * self._coeff(part)
