"""Layers of filters: they multiply with learned weights, or lay out what is multiplied (Im2col)."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import ConvolutionParameter, LayerParameter
from layers.naive.given import Given


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
            for element in np.ndindex(*slide.kernel):
                pixel = slide.at(place, element)
                if inside(pixel, slide.spatial):
                    read = x[(*image, slice(first, first + channels), *pixel)]
                    total += weights[(m, slice(None), *element)] @ read
            top[at] = total
        tops.append(top)
    return tops


def padded_convolution(given: Given) -> list[np.ndarray]:
    sides = given.param.padding_sides_param
    around = [(0, 0), (0, 0), (sides.top, sides.bottom), (sides.left, sides.right)]
    return convolution(replace(given, bottom=[np.pad(given.bottom[0], around)]))


def convolution_depthwise(given: Given) -> list[np.ndarray]:
    param = LayerParameter()
    param.CopyFrom(given.param)
    param.convolution_param.num_output = param.convolution_param.group = given.bottom[0].shape[1]
    return convolution(replace(given, param=param))


def in_three_dimensions(given: Given) -> Given:
    """The same with its convolution3d_param as a convolution_param."""
    old = given.param.convolution3d_param
    new = ConvolutionParameter(num_output=old.num_output, bias_term=old.bias_term)
    new.kernel_size.extend([old.kernel_depth, old.kernel_size, old.kernel_size])
    new.stride.extend([old.temporal_stride, old.stride, old.stride])
    new.pad.extend([old.temporal_pad, old.pad, old.pad])
    return replace(given, param=LayerParameter(convolution_param=new))


def dilated_by_bottom(given: Given) -> list[np.ndarray]:
    (x, dilations), param = given.bottom, given.param.convolution_param
    weights, *bias = given.blobs
    assert weights.shape[0] == param.num_output and len(bias) == param.bias_term
    most = param.pad_h if param.HasField("pad_h") else param.pad[0]
    assert not param.HasField("pad_h") or param.pad_w == most
    assert {most} == {*param.dilation} or (not param.dilation and most == 1)
    assert (param.kernel_h, param.kernel_w) == (3, 3) or {*param.kernel_size} == {3}
    channels = x.shape[1] // param.group
    top = np.zeros((len(x), param.num_output, *x.shape[2:]))
    for n, m, y, z in np.ndindex(top.shape):
        first = m // (param.num_output // param.group) * channels
        total = bias[0][m] if bias else 0.0
        for c, i, j in np.ndindex(channels, 3, 3):
            dilation = dilations[n, first + c, y, z]
            low = int(dilation) - (int(dilation) == most)
            value, plane = 0.0, x[n, first + c]
            if all(
                0 <= a + (k - 1) * (low + 1) < size
                for a, k, size in zip((y, z), (i, j), plane.shape, strict=True)
            ):
                share = {low: low + 1 - dilation, low + 1: dilation - low}
                for v, w in itertools.product(share, repeat=2):
                    value += share[v] * share[w] * plane[y + (i - 1) * v, z + (j - 1) * w]
            total += weights[m, c, i, j] * value
        top[n, m, y, z] = total
    return [top]


def deformable_convolution(given: Given) -> list[np.ndarray]:
    (x, offsets), param = given.bottom, given.param.deformable_convolution_param
    slide = Slide(param, x)
    weights, *bias = given.blobs
    assert weights.shape[0] == param.num_output and len(bias) == param.bias_term
    channels = x.shape[1] // param.group
    top = np.zeros((len(x), param.num_output, *slide.pooled()))
    for n, m, *place in np.ndindex(top.shape):
        first = m // (param.num_output // param.group) * channels
        total = bias[0][m] if bias else 0.0
        for c, i, j in np.ndindex(channels, *slide.kernel):
            group = (first + c) // (x.shape[1] // param.deformable_group)
            k = 2 * ((group * slide.kernel[0] + i) * slide.kernel[1] + j)
            y, z = (a + offsets[(n, k + d, *place)] for d, a in enumerate(slide.at(place, (i, j))))
            total += weights[m, c, i, j] * between_pixels(x[n, first + c], y, z)
        top[(n, m, *place)] = total
    return [top]


def between_pixels(plane: np.ndarray, y: float, x: float) -> float:
    """A map read bilinearly; its last row and column go on for a pixel, beyond is 0."""
    height, width = plane.shape
    if not (0 <= y < height and 0 <= x < width):
        return 0.0
    total = 0.0
    for h, v in ((math.floor(y), 1 - y % 1), (math.floor(y) + 1, y % 1)):
        for w, u in ((math.floor(x), 1 - x % 1), (math.floor(x) + 1, x % 1)):
            total += v * u * plane[min(h, height - 1), min(w, width - 1)]
    return total


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
        for element in np.ndindex(*slide.kernel):
            pixel = slide.at(at[axis + 1 :], element)
            if inside(pixel, size):
                written = (*at[:axis], slice(first, first + outputs), *pixel)
                top[written] += weights[(at[axis], slice(None), *element)] * x[at]
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


def inner_product(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.inner_product_param
    weights, *shift = given.blobs
    assert len(shift) == param.bias_term
    first = param.axis % x.ndim
    if param.normalize:
        rows = weights.reshape(param.num_output, -1)
        weights = (rows / np.sqrt((rows**2).sum(axis=1, keepdims=True) + 1e-6)).reshape(weights.shape)
    top = np.zeros((*x.shape[:first], param.num_output))
    for at in np.ndindex(top.shape):
        *row, m = at
        products = (
            v * (weights[k, m] if param.transpose else weights[m, k])
            for k, v in enumerate(x[tuple(row)].ravel())
        )
        top[at] = sum(products) + (shift[0][m] if shift else 0)
    return [top]


def embed(given: Given) -> list[np.ndarray]:
    (numbers,), param = given.bottom, given.param.embed_param
    weights, *shift = given.blobs
    assert weights.shape == (param.input_dim, param.num_output) and len(shift) == param.bias_term
    top = np.zeros((*numbers.shape, param.num_output))
    for at in np.ndindex(top.shape):
        top[at] = weights[int(numbers[at[:-1]]), at[-1]] + (shift[0][at[-1]] if shift else 0)
    return [top]


NAIVE = {
    "Convolution": convolution,
    "PaddedConvolution": padded_convolution,
    "ConvolutionDepthwise": convolution_depthwise,
    "Convolution3D": lambda given: convolution(in_three_dimensions(given)),
    "Deconvolution": deconvolution,
    "Deconvolution3D": lambda given: deconvolution(in_three_dimensions(given)),
    "DeformableConvolution": deformable_convolution,
    "DepthwiseConvolution": convolution,
    "DilatedByBottom": dilated_by_bottom,
    "Embed": embed,
    "Im2col": im2col,
    "InnerProduct": inner_product,
}
