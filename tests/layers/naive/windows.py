"""Layers that slide over an image, and that make it larger or smaller."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.prototxt.caffe_pb2 import ConvolutionParameter, PoolingParameter
from caffe_compat.rng import Rng
from layers.naive.given import Given
from layers.test_interp import naive as interpolated
from layers.test_pooling import naive as pooled
from layers.test_pooling import windows
from layers.test_spp import naive as pyramid


class Slide:
    """The windows of a convolution_param over a bottom's axes behind `axis`."""

    def __init__(self, param: ConvolutionParameter, x: np.ndarray):
        self.axis = param.axis % x.ndim
        self.spatial = x.shape[self.axis + 1 :]
        self.kernel = self._sizes(param, "kernel_size", "kernel", 0)
        self.stride = self._sizes(param, "stride", "stride", 1)
        self.pad = self._sizes(param, "pad", "pad", 0)
        self.dilation = self._sizes(param, "dilation", "", 1)

    def _sizes(self, param, field: str, prefix: str, default: int) -> list[int]:
        if prefix and param.HasField(f"{prefix}_h"):
            return [getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")]
        values = list(getattr(param, field)) or [default]
        return values * len(self.spatial) if len(values) == 1 else values

    def pooled(self) -> list[int]:
        """The size of the top of a convolution."""
        reaches = [d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True)]
        sizes = zip(self.spatial, self.pad, reaches, self.stride, strict=True)
        return [(size + 2 * pad - reach) // stride + 1 for size, pad, reach, stride in sizes]

    def at(self, place, element) -> tuple[int, ...]:
        """The pixel under an element of the kernel at a place of the top; perhaps outside of the image."""
        steps = zip(place, self.stride, self.pad, element, self.dilation, strict=True)
        return tuple(p * stride - pad + e * dilation for p, stride, pad, e, dilation in steps)


def inside(at, sizes) -> bool:
    return all(0 <= a < size for a, size in zip(at, sizes, strict=True))


def convolution(given: Given) -> list[np.ndarray]:
    param = given.param.convolution_param
    slide = Slide(param, given.bottom[0])
    weights, *bias = given.blobs
    assert weights.shape[0] == param.num_output and len(bias) == param.bias_term
    tops = []
    for x in given.bottom:
        channels, lead = x.shape[slide.axis] // param.group, x.shape[: slide.axis]
        top = np.zeros((*lead, param.num_output, *slide.pooled()))
        for at in np.ndindex(top.shape):
            image, m, place = at[: slide.axis], at[slide.axis], at[slide.axis + 1 :]
            first = m // (param.num_output // param.group) * channels
            total = bias[0][m] if bias else 0.0
            for c, *element in np.ndindex(channels, *slide.kernel):
                pixel = slide.at(place, element)
                if inside(pixel, slide.spatial):
                    total += weights[(m, c, *element)] * x[(*image, first + c, *pixel)]
            top[at] = total
        tops.append(top)
    return tops


def deconvolution(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.convolution_param
    slide = Slide(param, x)
    weights, *bias = given.blobs
    assert len(bias) == param.bias_term
    size = [
        stride * (n - 1) + d * (k - 1) + 1 - 2 * pad
        for n, k, stride, pad, d in zip(
            slide.spatial, slide.kernel, slide.stride, slide.pad, slide.dilation, strict=True
        )
    ]
    axis, outputs = slide.axis, param.num_output // param.group
    top = np.zeros((*x.shape[:axis], param.num_output, *size))
    if bias:
        top += bias[0].reshape(-1, *[1] * len(size))
    for at in np.ndindex(x.shape):
        first = at[axis] // (x.shape[axis] // param.group) * outputs
        for m, *element in np.ndindex(outputs, *slide.kernel):
            pixel = slide.at(at[axis + 1 :], element)
            if inside(pixel, size):
                top[(*at[:axis], first + m, *pixel)] += weights[(at[axis], m, *element)] * x[at]
    return [top]


def im2col(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.convolution_param
    slide = Slide(param, x)
    lead, channels = x.shape[: slide.axis], x.shape[slide.axis]
    columns = np.zeros((*lead, channels, *slide.kernel, *slide.pooled()))
    for at in np.ndindex(columns.shape):
        image, c = at[: slide.axis], at[slide.axis]
        half = len(slide.spatial)
        pixel = slide.at(at[-half:], at[-2 * half : -half])
        if inside(pixel, slide.spatial):
            columns[at] = x[(*image, c, *pixel)]
    return [columns.reshape(*lead, channels * math.prod(slide.kernel), *slide.pooled())]


def pooling(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.pooling_param
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


def spp(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.spp_param
    top, _ = pyramid(x, param.pyramid_height, "MAX" if param.pool == param.MAX else "AVE")
    return [top.reshape(*x.shape[:2], 1, 1) if param.pyramid_height == 1 else top]


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


NAIVE = {
    "Convolution": convolution,
    "Deconvolution": deconvolution,
    "DepthwiseConvolution": convolution,
    "Im2col": im2col,
    "Interp": interp,
    "Pooling": pooling,
    "SPP": spp,
}
