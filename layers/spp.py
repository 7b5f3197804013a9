"""Spatial pyramid pooling: as many outputs for an image of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.pooling import Pooling
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, PoolingParameter, SPPParameter


@register("SPP")
class SPP(Layer):
    """Level i of the pyramid pools 2^i x 2^i bins that cover the image; the top joins the levels.

    bottom: N x C x H x W; top: N x (C (1 + 4 + 16 ...)), level by level; with pyramid_height 1 it is N x C x 1 x 1.
    Bins are ceil(size / 2^i) pixels, and what they reach beyond the image is padding, one half (rounded up) before
    it. Raises LayerError without a pyramid_height, or where a level has too many bins for the image: one would lie
    in the padding.

    Source: Caffe's SPPLayer, which nests PoolingLayers too; He, Zhang, Ren and Sun (2014), "Spatial pyramid pooling
    in deep convolutional networks".
    """

    reads = ("spp_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.layer_param.spp_param.pyramid_height < 1:
            raise self.error("pyramid_height is 0; it must be at least 1")
        self._shape: tuple[int, ...] | None = None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if shape == self._shape:
            return
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}, expected 4 axes: N x C x H x W")
        self._shape = None  # until all levels fit
        self._levels: list[tuple[Pooling, Blob, Blob]] = []  # each with a bottom of its own diff, and its top
        for level in range(self.layer_param.spp_param.pyramid_height):
            below, above = Blob(shape, self.dtype), Blob((), self.dtype)
            pooling = Pooling(self._pooling_param(2**level, shape[2:]), self.phase, self.dtype)
            pooling.setup([below], [above])
            pooling.reshape([below], [above])
            self._levels.append((pooling, below, above))
        self._shape = shape
        if len(self._levels) == 1:
            top[0].reshape(*shape[:2], 1, 1)
        else:
            top[0].reshape(shape[0], shape[1] * sum(4**i for i in range(len(self._levels))))

    def _pooling_param(self, bins: int, sizes: tuple[int, ...]) -> LayerParameter:
        kernel = [-(-size // bins) for size in sizes]
        pad = [(k * bins - size + 1) // 2 for k, size in zip(kernel, sizes, strict=True)]
        if any(p >= k for p, k in zip(pad, kernel, strict=True)):
            raise self.error(
                f"{bins} x {bins} bins are too many for an image of {sizes[0]} x {sizes[1]}; make pyramid_height less"
            )
        method = SPPParameter.PoolMethod.Name(self.layer_param.spp_param.pool)
        (kernel_h, kernel_w), (pad_h, pad_w) = kernel, pad
        param = PoolingParameter(pool=method, kernel_h=kernel_h, kernel_w=kernel_w, pad_h=pad_h, pad_w=pad_w)
        param.stride_h, param.stride_w = kernel
        return LayerParameter(name=self.name, type="Pooling", pooling_param=param)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for pooling, below, above in self._levels:
            below.share_data(bottom[0])
            pooling.forward([below], [above])
        outs = [self._rows(above.data) for _, _, above in self._levels]
        np.concatenate(outs, axis=1, out=self._rows(top[0].data))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        bottom[0].diff[...] = 0
        start = 0
        for pooling, below, above in self._levels:
            rows = self._rows(above.diff)
            np.copyto(rows, self._rows(top[0].diff)[:, start : start + rows.shape[1]])
            start += rows.shape[1]
            pooling.backward([above], [True], [below])
            bottom[0].diff[...] += below.diff

    def _rows(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(len(array), math.prod(array.shape[1:]))
