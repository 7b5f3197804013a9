"""ImResize."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.registry import register

F = np.float32
TOGETHER = 2**16  # numbers of maps that are resized at once


@register("ImResize")
class ImResize(Layer):
    """Maps of one image at several scales, enlarged and averaged (imresize_param).

    bottom: N x C x H x W, the maps at N scales. top: 1 x C x H' x W', factor times H and W, or with factor 0
    target_spatial_height x target_spatial_width. Of the n-th maps the middle counts, without W / 2 (1 - start_scale + n
    scale_gap) columns at each side and rows likewise, all rounded down. It is resized by the cubic of -1/2, pixel
    centres on pixel centres, and pixels outside are those of the border. Forward only. Raises LayerError where nothing
    would be left, or more than the map is wanted.

    Source: ImResizeLayer of CMU's caffe_rtpose, its GPU kernel: the CPU's takes no scales and writes behind its top.
    """

    reads = ("imresize_param",)
    has_backward = False
    origin = "OpenPose"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.imresize_param, bottom[0].shape
        if len(shape) != 4 or 0 in shape:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        if param.factor:
            factor = F(param.factor) if 0 < param.factor < np.inf else F(0)
            with np.errstate(over="ignore"):
                sizes = [cut_off(F(size) * factor) for size in shape[2:]]
        else:
            sizes = [param.target_spatial_height, param.target_spatial_width]
        if min(sizes) < 1:
            raise self.error(
                f"a bottom of {shape} becomes {sizes[0]} x {sizes[1]}; raise factor, or give target_spatial_height and "
                "target_spatial_width"
            )
        self.pads = np.stack([self._pads(size, shape[0]) for size in shape[2:]], axis=1)
        top[0].reshape(1, shape[1], *sizes)

    def _pads(self, size: int, scales: int) -> np.ndarray:
        """What is cut off at both ends of an axis, of the maps at each scale."""
        param = self.layer_param.imresize_param
        with np.errstate(invalid="ignore", over="ignore"):
            parts = F(1) - F(param.start_scale) + np.arange(scales, dtype=F) * F(param.scale_gap)
            pads = np.floor(F(size // 2) * parts)
        fits = (pads >= 0) & (pads < (size + 1) // 2)
        if not fits.all():
            scale = int(fits.argmin())
            pad = cut_off(pads[scale]) if np.isfinite(parts[scale]) else -1
            raise self.error(
                f"start_scale {param.start_scale:g} and scale_gap {param.scale_gap:g} leave {size - 2 * pad} of {size} "
                f"pixels of maps {scale}"
            )
        return pads.astype(np.int64)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        total = np.zeros_like(top[0].data[0])
        for start, end in self._alike(total.size):
            maps = bottom[0].data[start:end]
            for axis, pad in zip((2, 3), self.pads[start], strict=True):
                maps = _resized(maps, axis, int(pad), total.shape[axis - 1])
            for one in maps:
                total += one
        np.divide(total, self.dtype(len(self.pads)), out=top[0].data[0])

    def _alike(self, size: int) -> Iterator[tuple[int, int]]:
        """Where maps of which the same is cut off begin and end, as many as make TOGETHER numbers of so many each."""
        most, changes = (
            max(1, TOGETHER // size),
            np.flatnonzero((self.pads[1:] != self.pads[:-1]).any(axis=1)) + 1,
        )
        for begin, end in itertools.pairwise([0, *changes.tolist(), len(self.pads)]):
            for start in range(begin, end, most):
                yield start, min(start + most, end)


def _resized(maps: np.ndarray, axis: int, pad: int, count: int) -> np.ndarray:
    """The maps, without pad pixels at both ends of an axis, with `count` pixels along it."""
    size = maps.shape[axis] - 2 * pad
    offset = F(count) / F(size) / F(2) - F(0.5)
    places = (np.arange(count, dtype=F) - offset) * (F(size) / F(count))
    second = np.maximum((places + F(1e-5)).astype(np.int64), 0)
    third = np.minimum(second + 1, size - 1)
    pixels = [np.maximum(second - 1, 0), second, third, np.minimum(third + 1, size - 1)]
    side = [1] * maps.ndim
    side[axis] = -1
    weights = (weight.reshape(side).astype(maps.dtype) for weight in _cubic(places - second.astype(F)))
    parts = (weight * maps.take(pixel + pad, axis) for weight, pixel in zip(weights, pixels, strict=True))
    return sum(parts)


def _cubic(x: np.ndarray) -> list[np.ndarray]:
    """What four pixels in a row weigh at a place x behind the second."""
    return [
        ((-0.5 * x + 1) * x - F(0.5)) * x,
        (F(1.5) * x - F(2.5)) * x * x + 1,
        ((F(-1.5) * x + 2) * x + F(0.5)) * x,
        (F(0.5) * x - F(0.5)) * x * x,
    ]
