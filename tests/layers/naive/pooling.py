"""Pooling and SPP."""

from __future__ import annotations

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
    "SPP": spp,
}
