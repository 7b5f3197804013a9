"""Layers that normalise: LRN, BN, BatchNorm, MVN, Normalize, Softmax."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.devices import is_host
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.layers.base import TEST
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.bn import BN
from caffe_compat.prototxt.caffe_pb2 import LRNParameter

BAND = 1 << 19  # elements worked on at a time


@converts("Softmax")
def softmax(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [torch.softmax(bottoms[0], this.layer.layer_param.softmax_param.axis)]


@converts("LRN", own_memory=True)
def lrn(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    """As in Caffe, alpha is divided by the number of neighbours, and k counts across channels only."""
    param, (x,) = this.layer.layer_param.lrn_param, bottoms
    size, alpha, beta = param.local_size, param.alpha, param.beta
    if param.norm_region == LRNParameter.ACROSS_CHANNELS:
        return [_AcrossChannels.apply(x, size // 2, alpha / size, beta, param.k)]
    total = F.avg_pool2d(x.square(), size, 1, size // 2, divisor_override=1)
    return [x * (1 + alpha / size**2 * total).pow(-beta)]


class _AcrossChannels(torch.autograd.Function):
    """y = x r with r = s^-beta and s = k + alpha * (sum of x^2 over the channels around).

    Its gradient dy r - 2 alpha beta x * (sum of dy x r / s over the channels around) is written out here, because it
    passes over less memory than autograd's. Nothing but x is kept for it.
    """

    @staticmethod
    def forward(ctx, x, half, alpha, beta, k):
        ctx.save_for_backward(x)
        ctx.numbers = half, alpha, beta, k
        y = torch.empty_like(x)
        for own, top in _bands(x, y):
            base = _around(own.square(), half).mul_(alpha).add_(k)
            top.copy_(_to_power(base, beta).mul_(own))
        return y

    @staticmethod
    def backward(ctx, dy):
        (x,), (half, alpha, beta, k) = ctx.saved_tensors, ctx.numbers
        dx = torch.empty_like(x)
        for own, diff, found in _bands(x, dy, dx):
            base = _around(own.square(), half).mul_(alpha).add_(k)
            power = _to_power(base.clone(), beta).mul_(diff)
            ratio = _around((power * own).div_(base), half)
            found.copy_(power.sub_(ratio.mul_(own), alpha=2 * alpha * beta))
        return dx, None, None, None, None


def _bands(*maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of maps of one shape, so few on a CPU that what is computed of them stays in the cache."""
    images, channels, rows, width = maps[0].shape
    if is_host(maps[0].device) and not torch.compiler.is_compiling():
        rows = BAND // max(1, images * channels * width)
    return zip(*(one.split(max(1, rows), 2) for one in maps), strict=True)


def _around(x: Tensor, half: int) -> Tensor:
    """The sum over each channel and `half` channels on both of its sides."""
    total = x.clone()
    for shift in range(1, min(half + 1, x.shape[1])):
        total[:, shift:] += x[:, :-shift]
        total[:, :-shift] += x[:, shift:]
    return total


def _to_power(base: Tensor, beta: float) -> Tensor:
    """base becomes base ** -beta; roots are several times faster than a power."""
    if beta == 0.75:
        root = base.rsqrt_().sqrt()
        return base.mul_(root)
    return base.pow_(-beta)


@converts("BatchNorm", own_memory=True)
def batch_norm(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, (x,) = this.layer, bottoms
    assert isinstance(layer, BatchNorm)
    images, eps = x if x.ndim > 1 else x.reshape(layer.view), float(layer.eps)
    scale, bias = params[3:] if layer.has_scale_bias else (None, None)
    if layer.use_global_stats:
        mean, variance, weight = (param.detach() for param in params[:3])  # not learnt
        share = torch.where(weight == 0, 0, 1 / weight)
        y = F.batch_norm(images, mean * share, variance * share, scale, bias, eps=eps)
        return [y.reshape(x.shape)]
    y, mean, factor = torch.native_batch_norm(images, scale, bias, None, None, True, 0.0, eps)
    variance = (factor.detach() ** -2 - eps).clamp(min=0)
    _remember(layer, params, mean.detach(), variance, x.numel() // layer.view[1])
    return [y.reshape(x.shape)]


def _remember(layer: BatchNorm, params: list[Tensor], mean: Tensor, variance: Tensor, count: int) -> None:
    """Add to the moving sums, in place: they are params, but no learnt ones."""
    if layer.has_scale_bias:  # NVCaffe's averages
        kept = float(layer.fraction) if layer.forwards > 1 else 0.0
        for param, value in zip(params, (mean, variance + float(layer.eps)), strict=False):
            param.data.mul_(kept).add_(value, alpha=1 - kept)
        layer.forwards += 1
        return
    values = mean, variance * (count / max(1, count - 1)), torch.ones_like(params[2])
    for param, value in zip(params, values, strict=True):
        param.data.mul_(float(layer.fraction)).add_(value)


@converts("BN", own_memory=True)
def bn(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, (x,) = this.layer, bottoms
    assert isinstance(layer, BN)
    view = x.reshape(layer.view)
    scale, shift, *averages = (param.reshape(-1) for param in params)
    if layer.only_affine:
        mean = variance = torch.zeros_like(shift)
        y = view
    else:
        mean, variance = (average.detach() for average in averages) if layer.use_averages else _moments(view)
        factor = 1 / (variance + float(layer.eps)).sqrt()
        if layer.frozen:
            scale, shift = scale.detach(), shift.detach()
            y = (view - mean[:, None]) * factor[:, None]
        else:
            y = _Normalized.apply(view, mean[:, None], factor[:, None])
        if averages and layer.phase != TEST and not layer.frozen:
            _move(layer, params[2:], mean, variance)
    y = y * scale[:, None] + shift[:, None]
    stats = [value.detach().reshape(1, -1, 1, 1) for value in (mean, variance)]
    return [y.reshape(x.shape), *stats][: len(this.shapes)]


def _moments(view: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(view.detach(), (0, 2), correction=0)
    return mean, variance


def _move(layer: BN, averages: list[Tensor], *values: Tensor) -> None:
    """Move the averages towards the batch's values, in place: they are params, but no learnt ones."""
    momentum = float(layer.momentum)
    for average, value in zip(averages, values, strict=True):
        average.data.mul_(momentum).add_(value.reshape(average.shape), alpha=1 - momentum)


class _Normalized(torch.autograd.Function):
    """(x - mean) * factor, with the gradient that it has where these are the batch's own statistics."""

    @staticmethod
    def forward(ctx, x, mean, factor):
        y = (x - mean) * factor
        ctx.save_for_backward(y, factor)
        return y

    @staticmethod
    def backward(ctx, dy):
        y, factor = ctx.saved_tensors
        mean, along = (value.mean((0, 2), keepdim=True)[0] for value in (dy, dy * y))
        return (dy - mean - y * along) * factor, None, None


@converts("MVN")
def mvn(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, x = this.layer.layer_param.mvn_param, bottoms[0]
    image = x.reshape(*x.shape, *[1] * (4 - x.ndim))
    over = (1, 2, 3) if param.across_channels else (2, 3)
    centred = image - image.mean(over, keepdim=True)
    if param.normalize_variance:
        centred = _Standardized.apply(image, over, param.eps)
    return [centred.reshape(this.shapes[0])]


class _Standardized(torch.autograd.Function):
    """(x - mean) / (deviation + eps), with Caffe's gradient: that for eps = 0, with deviation + eps for deviation."""

    @staticmethod
    def forward(ctx, x, over, eps):
        variance, mean = torch.var_mean(x, over, correction=0, keepdim=True)
        factor = 1 / (variance.sqrt() + eps)
        y = (x - mean) * factor
        ctx.over = over
        ctx.save_for_backward(y, factor)
        return y

    @staticmethod
    def backward(ctx, dy):
        y, factor = ctx.saved_tensors
        mean, along = (value.mean(ctx.over, keepdim=True) for value in (dy, dy * y))
        return (dy - mean - y * along) * factor, None, None


@converts("Normalize")
def normalize(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    """With one scale a channel, Caffe's gradient is that for a scale of 1, times the channel's."""
    param, (x,) = this.layer.layer_param.norm_param, bottoms
    over = tuple(range(1, x.ndim)) if param.across_spatial else (1,)
    scale = params[0].reshape(-1, *[1] * (x.ndim - 2))
    if not param.channel_shared:
        x = x.detach() + scale.detach() * (x - x.detach())
    unit = x / (x.square().sum(over, keepdim=True) + param.eps).sqrt()
    if not param.channel_shared:
        return [unit.detach() * scale + (unit - unit.detach())]
    return [unit * scale]
