"""ROIPooling: on a CPU by layers/kernels/roi_pooling.py, on another device with the bins of that and a table of maxima.

The table holds the maxima of all rectangles whose sides are powers of two, as far as bins need them; the maximum of any
rectangle is that of four of them, which overlap. Where a gradient is wanted, it holds the positions too.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import torch
from torch import Tensor

from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.devices import is_host
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.engines.torch.losses import on_host
from caffe_compat.layers.fast_rcnn.roi_pooling import ROIPooling
from caffe_compat.layers.fast_rcnn.rois import FARTHEST, read_rois
from caffe_compat.layers.kernels import roi_pooling as kernels

LOWEST = torch.finfo(torch.float32).min


@converts("ROIPooling", own_memory=True, traceable=False)
def roi_pooling(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer, (maps, rois) = this.layer, bottoms
    assert isinstance(layer, ROIPooling)
    rois = rois.reshape(-1, 5)
    _check(layer, maps, rois)
    rois, scale = _grown(rois, layer.pad_ratio), float(layer.scale)
    if not is_host(maps.device):
        return [_Pooled.apply(maps, rois, scale, layer.bins)]
    return [_PooledOnHost.apply(maps, rois, scale, _top(this, (len(rois), *layer.bins, maps.shape[1])))]


def _top(this: TorchLayer, shape: tuple[int, ...]) -> Tensor:
    """Memory for the top."""
    if this.room and this.room[0].numel() >= math.prod(shape):
        return this.room.pop().permute(0, 2, 3, 1).reshape(-1)[: math.prod(shape)].reshape(shape)
    return torch.empty(shape)


def _grown(rois: Tensor, pad_ratio: float) -> Tensor:
    """The RoIs with each side moved out by pad_ratio of the width, or height."""
    if not pad_ratio:
        return rois
    image, low, high = rois.split([1, 2, 2], 1)
    pad = (high - low + 1) * pad_ratio
    return torch.cat([image, low - pad, high + pad], 1)


def _check(layer: ROIPooling, maps: Tensor, rois: Tensor) -> None:
    """Let the project's own layer say what is wrong with RoIs, or strange; only one bool comes from the device."""
    corners, (height, width) = rois[:, 1:] * float(layer.scale), maps.shape[2:]
    image, (x1, y1, x2, y2) = rois[:, 0], corners.unbind(1)
    fine = (image >= 0) & (image < len(maps)) & (corners.abs() < FARTHEST).all(1) & (x1 <= x2) & (y1 <= y2)
    fine &= (x2 >= 0) & (y2 >= 0) & (x1 <= width) & (y1 <= height)
    if not bool(fine.all()):
        read_rois(layer, [on_host(maps), on_host(rois)], layer.scale)


class _PooledOnHost(torch.autograd.Function):
    """maps N x C x H x W, rois R x 5 -> R x C x bins, in the memory of `top`, R x bins x C."""

    @staticmethod
    def forward(ctx, maps, rois, scale, top):
        images, rois = _channels_last(maps), rois.contiguous().numpy()
        kernels.roi_pooling_channels_last(images, rois, np.float32(scale), top.numpy())
        ctx.save_for_backward(maps)
        ctx.rois, ctx.scale = rois, np.float32(scale)
        return top.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, diff):
        (maps,) = ctx.saved_tensors
        images = _channels_last(maps)
        scratch = numba.get_num_threads(), maps.shape[1]
        best, where, result = (
            np.empty(scratch, np.float32),
            np.empty(scratch, np.int32),
            np.empty_like(images),
        )
        top_diff = _channels_last(diff).transpose(0, 3, 1, 2)
        kernels.roi_pooling_backward(images, ctx.rois, ctx.scale, top_diff, best, where, result)
        return torch.from_numpy(result).permute(0, 3, 1, 2), None, None, None


def _channels_last(maps: Tensor) -> np.ndarray:
    """Maps on the host as N x H x W x C."""
    return maps.detach().contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).numpy()


class Bins:
    """The bins of all RoIs along one axis: the first pixel of each (`start`) and the one behind its last (`end`), both
    R x bins; and which positions get a gradient (`reach`)."""

    def __init__(self, low: Tensor, high: Tensor, scale: float, bins: int, limit: int):
        """low, high: the RoIs' corners along the axis. limit: the size of the map. All is float32, as another precision
        would move bins."""
        self.first, self.last = _c_round(low * scale), _c_round(high * scale)
        self.size = (self.last - self.first + 1).clamp(min=1).float() / bins
        index = torch.arange(bins, dtype=torch.float32, device=low.device)
        start = torch.floor(index * self.size[:, None]).long() + self.first[:, None]
        end = torch.ceil((index + 1) * self.size[:, None]).long() + self.first[:, None]
        self.start, self.end = start.clamp(0, limit), end.clamp(0, limit)

    def reach(self, position: Tensor) -> Tensor:
        """Whether Caffe's backward pass finds these positions (R x bins x ...) in their bins. It computes the bins from
        the position, so a RoI that ends before it starts gets nothing."""
        first, last, size = (
            values.reshape(-1, *[1] * (position.ndim - 1)) for values in (self.first, self.last, self.size)
        )
        index = torch.arange(position.shape[1], device=position.device)
        index = index.reshape(-1, *[1] * (position.ndim - 2))
        offset = position - first
        earliest, end = torch.floor(offset.float() / size), torch.ceil((offset + 1).float() / size)
        return (first <= position) & (position <= last) & (earliest <= index) & (index < end)


def _c_round(x: Tensor) -> Tensor:
    """The nearest whole number, halves away from zero."""
    whole = torch.trunc(x)
    return (whole + torch.where((x - whole).abs() >= 0.5, torch.sign(x), 0)).long()


class _Pooled(torch.autograd.Function):
    """maps N x C x H x W, rois R x 5 -> R x C x bins."""

    @staticmethod
    def forward(ctx, maps, rois, scale, bins):
        num, channels, height, width = maps.shape
        rows = Bins(rois[:, 2], rois[:, 4], scale, bins[0], height)
        columns = Bins(rois[:, 1], rois[:, 3], scale, bins[1], width)
        top, bottom, left, right = torch.broadcast_tensors(
            rows.start[:, :, None], rows.end[:, :, None], columns.start[:, None], columns.end[:, None]
        )
        image = rois[:, 0].long()[:, None, None].expand_as(top)
        sizes = num, height + 1, height + 1, width + 1, width + 1
        distinct, which = _distinct(
            [image, top, bottom, left, right], sizes
        )  # RoIs that overlap share many bins
        best, place = Table(maps, wants_places=ctx.needs_input_grad[0]).maxima(distinct)
        shape = len(rois), *bins, channels
        if place is not None:
            ctx.rows, ctx.columns, ctx.shape = rows, columns, maps.shape
            ctx.save_for_backward(place[which].reshape(shape), image[:, 0, 0])
        return best[which].reshape(shape).permute(0, 3, 1, 2).contiguous()

    @staticmethod
    def backward(ctx, diff):
        place, image = ctx.saved_tensors
        num, channels, height, width = ctx.shape
        reached = ctx.rows.reach(place // width)
        reached &= ctx.columns.reach((place % width).transpose(1, 2)).transpose(1, 2)
        reached &= place >= 0
        pixel = image[:, None, None, None] * (height * width) + place.clamp(min=0)  # int64, as the images are
        channel = torch.arange(channels, device=diff.device)
        parts = torch.where(reached, diff.permute(0, 2, 3, 1), 0)
        result = diff.new_zeros(num * height * width * channels)
        result.index_add_(0, (pixel * channels + channel).reshape(-1), parts.reshape(-1))
        return result.reshape(num, height, width, channels).permute(0, 3, 1, 2).contiguous(), None, None, None


def _distinct(columns: list[Tensor], sizes: tuple[int, ...]) -> tuple[list[Tensor], Tensor]:
    """The distinct rows of columns of whole numbers below these sizes, as columns, and the index of each row there."""
    key = torch.zeros_like(columns[0])
    for column, size in zip(columns, sizes, strict=True):
        key = key * size + column
    key, which = torch.unique(key, return_inverse=True)
    found = []
    for size in reversed(sizes):
        found.append(key % size)
        key = key // size
    return found[::-1], which.reshape(-1)


class Table:
    """Maxima of rectangles of maps, channels last; with `wants_places`, also the place of the first greatest pixel.

    A place is an index into the flattened H x W; -1 where nothing is above the lowest number.
    """

    def __init__(self, maps: Tensor, wants_places: bool):
        self.num, self.channels, self.height, self.width = maps.shape
        best = maps.permute(0, 2, 3, 1).contiguous().nan_to_num(LOWEST, neginf=LOWEST, posinf=torch.inf)
        place = None
        if wants_places:
            place = torch.arange(self.height * self.width, dtype=torch.int32, device=maps.device)
            place = place.reshape(1, self.height, self.width, 1).expand_as(best)
        self._levels: dict[tuple[int, int], tuple[Tensor, Tensor | None]] = {(0, 0): (best, place)}

    def maxima(self, rectangles: list[Tensor]) -> tuple[Tensor, Tensor | None]:
        """The maxima of K rectangles (image, top, bottom, left, right; ends not included) and their places, K x C each;
        0 and -1 for empty rectangles."""
        image, top, bottom, left, right = rectangles
        heights, widths = bottom - top, right - left
        empty = (heights <= 0) | (widths <= 0)
        level_h, level_w = _level(heights), _level(widths)
        kinds = [divmod(kind, 64) for kind in (64 * level_h + level_w).unique().tolist()]
        best = torch.zeros(len(image), self.channels, device=image.device)
        place = None
        if self._levels[0, 0][1] is not None:
            place = torch.full(best.shape, -1, dtype=torch.int32, device=best.device)
        for h, w in kinds:
            chosen = torch.nonzero((level_h == h) & (level_w == w) & ~empty)[:, 0]
            y = top[chosen], bottom[chosen] - (1 << h)
            x = left[chosen], right[chosen] - (1 << w)
            found = [self._at(h, w, image[chosen], row, column) for row in y for column in x]
            value, where = found[0]
            for other in found[1:]:
                value, where = _greater(value, where, *other)
            best[chosen] = value
            if place is not None and where is not None:
                place[chosen] = torch.where(value > LOWEST, where, -1)
        return best, place

    def _at(self, h: int, w: int, image: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor | None]:
        best, place = self._table(h, w)
        return best[image, row, column], None if place is None else place[image, row, column]

    def _table(self, h: int, w: int) -> tuple[Tensor, Tensor | None]:
        """The maximum and its place for each rectangle of 2**h x 2**w pixels inside a map, by its first pixel."""
        if (h, w) not in self._levels:
            axis, size = (1, 1 << (h - 1)) if h else (2, 1 << (w - 1))
            best, place = self._table(h - 1, w) if h else self._table(0, w - 1)
            count = best.shape[axis] - size
            value, other = best.narrow(axis, 0, count), best.narrow(axis, size, count)
            if place is None:
                self._levels[h, w] = torch.maximum(value, other), None
            else:
                where = place.narrow(axis, 0, count), place.narrow(axis, size, count)
                self._levels[h, w] = _greater(value, where[0], other, where[1])
        return self._levels[h, w]


def _level(size: Tensor) -> Tensor:
    """The greatest power of two within a size, as its exponent; exact, as sizes are far below 2**24."""
    return torch.frexp(size.clamp(min=1).float()).exponent - 1


def _greater(
    value: Tensor, where: Tensor | None, other: Tensor, other_where: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The greater of two maxima, and its place; of two equal ones, the first place."""
    if where is None or other_where is None:
        return torch.maximum(value, other), None
    is_other = (other > value) | ((other == value) & (other_where < where))
    return torch.where(is_other, other, value), torch.where(is_other, other_where, where)
