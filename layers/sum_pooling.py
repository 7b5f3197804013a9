"""SumPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.windows import Window, spread, sums
from caffe_compat.layers.pooling import Pooling
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, PoolingParameter, SumPoolingParameter


@register("SumPooling")
class SumPooling(Layer):
    """The sum of each window of each channel (sum_pooling_param, pool: SUM).

    bottom: N x C x H x W; top: N x C x H' x W', as many windows as Pooling has, without padding.
    Raises LayerError as Pooling does, and for padding and another pool, which Pooling has.
    Source: SumPoolingLayer of ChaojianYu's Caffe; Yu et al., Hierarchical Bilinear Pooling (2018).
    """

    reads = ("sum_pooling_param",)
    origin = "ChaojianYu"
    without_effect = ("sum_pooling_param.engine",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        given = self.layer_param.sum_pooling_param
        if given.pool != SumPoolingParameter.SUM:
            raise self.error("only pool: SUM is this type's own; write a Pooling layer for others")
        if given.pad or given.pad_h or given.pad_w:
            raise self.error("pool: SUM works without padding; remove it")
        param = LayerParameter(name=self.name, type=self.type)
        for field, value in given.ListFields():
            if field.name not in ("pool", "engine"):
                setattr(param.pooling_param, field.name, value)
        param.pooling_param.pool = PoolingParameter.AVE
        self.pooling = Pooling(param, self.phase, self.dtype)  # which knows the windows
        self.pooling.setup(bottom, top)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.pooling.reshape(bottom, top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        planes, windows = _planes(bottom[0].data), self._windows()
        _planes(top[0].data)[...] = sums(planes, windows, top[0].shape[2:])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            spread(_planes(top[0].diff), self._windows(), _planes(bottom[0].diff))

    def _windows(self) -> list[Window]:
        return [(kernel, stride, pad) for kernel, stride, pad in self.pooling.windows.tolist()]


def _planes(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
