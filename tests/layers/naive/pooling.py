"""Pooling and SPP."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, PoolingParameter
from caffe_compat.rng import Rng
from layers.naive import volumes
from layers.naive.given import Given
from layers.test_pooling import naive as pooled
from layers.test_pooling import windows
from layers.test_spp import naive as pyramid


def pooling(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.pooling_param
    if x.ndim > 4:
        return volumes.pooling_nd(over_more_axes(given))
    size, places = windows(param, *x.shape[2:])
    top = np.zeros((*x.shape[:2], *size))
    if param.pool != PoolingParameter.STOCHASTIC:
        top, mask, _ = pooled(param, x, top)
        return [top, mask][: given.tops]
    draws = np.zeros(top.shape, np.float32)
    Rng(given.seed).uniform(0, 1, draws)
    for at in np.ndindex(top.shape):
        rows, columns, _ = places[at[2:]]
        values = [x[(*at[:2], h, w)] for h in rows for w in columns]
        if given.phase == TEST:
            top[at] = sum(v * v for v in values) / sum(values)
            continue
        left = draws[at] * sum(values)
        while values and left > 0:
            top[at] = values.pop(0)
            left -= top[at]
    return [top]


def padded_pooling(given: Given) -> list[np.ndarray]:
    (x,), param, sides = given.bottom, given.param.pooling_param, given.param.padding_sides_param
    kernel = [param.kernel_h, param.kernel_w] if param.HasField("kernel_h") else [param.kernel_size] * 2
    stride = [param.stride_h, param.stride_w] if param.HasField("stride_h") else [param.stride] * 2
    around = [(sides.top, sides.bottom), (sides.left, sides.right)]
    whole = math.ceil if param.round_mode == param.CEIL and param.ceil_mode else math.floor
    sizes = [
        whole((size + sum(pads) - k) / s) + 1
        for size, pads, k, s in zip(x.shape[2:], around, kernel, stride, strict=True)
    ]
    top = np.zeros((*x.shape[:2], *sizes))
    for n, c, *place in np.ndindex(top.shape):
        starts = [p * s - pads[0] for p, s, pads in zip(place, stride, around, strict=True)]
        ends = [
            min(start + k, size + pads[1])
            for start, k, size, pads in zip(starts, kernel, x.shape[2:], around, strict=True)
        ]
        rows, columns = (
            range(max(a, 0), min(b, size)) for a, b, size in zip(starts, ends, x.shape[2:], strict=True)
        )
        values = [x[n, c, h, w] for h in rows for w in columns]
        count = len(values) if param.pool == param.AVE_EXC_PAD else math.prod(np.subtract(ends, starts))
        top[(n, c, *place)] = max(values) if param.pool == param.MAX else sum(values) / count
    return [top]


def over_more_axes(given: Given) -> Given:
    """The same for PoolingND."""
    old, new = given.param.pooling_param, LayerParameter()
    for field, value in old.ListFields():
        if field.name in ("kernel_size", "stride", "pad"):
            getattr(new.pooling_nd_param, field.name).append(value)
        else:
            setattr(new.pooling_nd_param, field.name, value)
    return replace(given, param=new)


def spp(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.spp_param
    top, _ = pyramid(x, param.pyramid_height, "MAX" if param.pool == param.MAX else "AVE")
    return [top.reshape(*x.shape[:2], 1, 1) if param.pyramid_height == 1 else top]


NAIVE = {
    "Pooling": pooling,
    "PaddedPooling": padded_pooling,
    "SPP": spp,
}
