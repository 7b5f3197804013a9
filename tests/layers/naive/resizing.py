"""Layers that make maps larger or smaller: Interp, Upsample."""

from __future__ import annotations

import numpy as np

from layers.naive.given import Given
from layers.test_interp import naive as interpolated


def interp(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.interp_param
    kept = x[:, :, -param.pad_beg : x.shape[2] + param.pad_end, -param.pad_beg : x.shape[3] + param.pad_end]
    factors = [param.HasField(name) for name in ("shrink_factor", "zoom_factor")]
    sizes = []
    for size, given_size in zip(kept.shape[2:], (param.height, param.width), strict=True):
        if factors[0]:
            size = (size - 1) // param.shrink_factor + 1
        if factors[1]:
            size += (size - 1) * (param.zoom_factor - 1)
        sizes.append(given_size if param.HasField("height") and factors[0] == factors[1] else size)
    return [interpolated(kept, *sizes, np.zeros((*x.shape[:2], *sizes)))[0]]


def upsample(given: Given) -> list[np.ndarray]:
    (x, mask), param = given.bottom, given.param.upsample_param
    scale_h, scale_w = (param.scale_h, param.scale_w) if param.HasField("scale_h") else (param.scale,) * 2
    height, width = x.shape[2] * scale_h - param.pad_out_h, x.shape[3] * scale_w - param.pad_out_w
    if param.HasField("upsample_h"):
        height, width = param.upsample_h, param.upsample_w
    top = np.zeros((*x.shape[:2], height, width))
    for at in np.ndindex(x.shape):
        top[(*at[:2], *divmod(int(mask[at]), width))] = x[at]
    return [top]


NAIVE = {
    "Interp": interp,
    "Upsample": upsample,
}
