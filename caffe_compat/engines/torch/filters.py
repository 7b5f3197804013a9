"""Layers that multiply with learned weights: Convolution, Deconvolution, InnerProduct."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.layer import TorchLayer, shaped
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.convolution import Convolution

MANY_MAPS = 100
HAS_AVX512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
DECONVOLUTIONS = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def _fits(layer: Layer) -> bool:
    assert isinstance(layer, Convolution)
    return len(layer.geometry.kernel) in CONVOLUTIONS


@converts(
    "Convolution",
    "Convolution3D",
    "ConvolutionDepthwise",
    "DepthwiseConvolution",
    fits=_fits,
    own_memory=True,
    is_product=True,
)
def convolution(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, bias = this.layer, params[1] if len(params) > 1 else None
    assert isinstance(layer, Convolution)
    geometry = layer.geometry
    tops = []
    for x, shape in zip(bottoms, this.shapes, strict=True):
        images = _images(x, layer)
        overhang = _overhang(images, shape, layer)
        if any(overhang):
            images = F.pad(images, overhang)
        y = CONVOLUTIONS[len(geometry.kernel)](
            images, params[0], bias, geometry.stride, geometry.pad, geometry.dilation, layer.group
        )
        tops.append(shaped(y, shape))
    return tops


@converts("Deconvolution", "Deconvolution3D", fits=_fits, own_memory=True, is_product=True)
def deconvolution(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, bias = this.layer, params[1] if len(params) > 1 else None
    assert isinstance(layer, Convolution)
    geometry = layer.geometry
    call = DECONVOLUTIONS[len(geometry.kernel)]
    return [
        call(
            _images(x, layer),
            params[0],
            bias,
            geometry.stride,
            geometry.pad,
            0,
            layer.group,
            geometry.dilation,
        ).reshape(shape)
        for x, shape in zip(bottoms, this.shapes, strict=True)
    ]


def _images(x: Tensor, layer: Convolution) -> Tensor:
    """x with all axes before the channels made one."""
    axis = x.ndim - len(layer.geometry.kernel) - 1
    images = x if axis == 1 else x.reshape(math.prod(x.shape[:axis]), *x.shape[axis:])
    if images.ndim == 4:  # what pools and convolves several times faster on a CPU; tops and diffs keep it
        images = images.contiguous(memory_format=torch.channels_last)
    return images


def _overhang(images: Tensor, shape: tuple[int, ...], layer: Convolution) -> list[int]:
    """Zeros behind each axis, the last one's first: C rounds towards zero, so a window may reach beyond the padding."""
    geometry = layer.geometry
    result: list[int] = []
    for axis in range(-1, -1 - len(geometry.kernel), -1):
        window = geometry.dilation[axis] * (geometry.kernel[axis] - 1) + 1
        reach = (shape[axis] - 1) * geometry.stride[axis] + window
        result += 0, max(reach - images.shape[axis] - 2 * geometry.pad[axis], 0)
    return result


@converts("InnerProduct", own_memory=True, is_product=True)
def inner_product(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param = this.layer.layer_param.inner_product_param
    weights, (x,) = params[0], bottoms
    bias = params[1] if len(params) > 1 else None
    if weights.ndim == 4:  # see params.py
        if x.ndim == 4 and x.shape[1:] == weights.shape[1:]:
            if _is_better_convolved(x, weights):
                return [F.conv2d(x, weights, bias).reshape(this.shapes[0])]
            x, weights = (maps.permute(0, 2, 3, 1) for maps in (x, weights))
        weights = weights.flatten(1)
    weights = weights.t() if param.transpose else weights
    rows = x if x.ndim == 2 else x.reshape(-1, weights.shape[1])
    if this.room and not param.transpose and this.config.precision == "float32":
        y = _Product.apply(rows, weights, bias, this.room)
    else:
        y = F.linear(rows, weights, bias)
    return [shaped(y, this.shapes[0])]


class _Product(torch.autograd.Function):
    """x W^T + bias. The gradient of W is written into the memory in `room`, a list that is empty afterwards."""

    @staticmethod
    def forward(ctx, x, weights, bias, room):
        ctx.save_for_backward(x, weights)
        ctx.room = room
        return F.linear(x, weights, bias)

    @staticmethod
    def backward(ctx, dy):
        x, weights = ctx.saved_tensors
        down, learns, shifts, _ = ctx.needs_input_grad
        out = _flat(ctx.room.pop()) if learns and ctx.room else None
        return (
            dy @ weights if down else None,
            torch.mm(dy.t(), x, out=out) if learns else None,
            dy.sum(0) if shifts else None,
            None,
        )


def _flat(weights: Tensor) -> Tensor:
    """Weights as outputs x inputs, in the order of the memory."""
    return weights.permute(0, 2, 3, 1).flatten(1) if weights.ndim == 4 else weights


def _is_better_convolved(x: Tensor, weights: Tensor) -> bool:
    """Whether a product of many maps takes less time as a convolution as large as they are: forward only, and on CPUs
    with AVX-512."""
    gradient = torch.is_grad_enabled() and (x.requires_grad or weights.requires_grad)
    return HAS_AVX512 and x.device.type == "cpu" and not gradient and len(x) >= MANY_MAPS
