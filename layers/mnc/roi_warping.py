"""ROIWarping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.lines import Line, between, sampled
from caffe_compat.layers.fast_rcnn.rois import check_shapes, read_bins, read_rois
from caffe_compat.layers.registry import register


@register("ROIWarping")
class ROIWarping(Layer):
    """Bilinear samples of a region, one in each of pooled_h x pooled_w bins (roi_warping_param).

    bottom[0]: N x C x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2 in pixels; times
    spatial_scale and rounded they are places on the map. top: R x C x pooled_h x pooled_w, the maps at x1 + i (x2 - x1)
    / pooled_w and likewise below; 0 where that is more than half a pixel outside. Raises LayerError for a RoI of no
    image or not finite.

    Both bottoms take a gradient, as the original computes it. Neither is the true one: a pixel counts only inside of
    the RoI, and only for the bins around it, as wide as if the RoI had one pixel more; that at the RoIs takes bins of
    this width too, and the rounding as none. It is 0 at a sample beside the last row or column.

    Source: ROIWarpingLayer of daijifeng001/caffe-mnc, its GPU kernel: there is none for the CPU; where nothing is
    sampled the gradient at a RoI is of what stands before the map in memory there, here 0. Dai, He and Sun,
    Instance-aware Semantic Segmentation via Multi-task Network Cascades (2016).
    """

    reads = ("roi_warping_param",)
    bottom_count = (2, 2)
    origin = "MNC"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.roi_warping_param
        self.sizes = read_bins(self, param.pooled_h, param.pooled_w)
        self.scale = np.float32(param.spatial_scale)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        if 0 in bottom[0].shape[2:]:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}: there is nothing to take samples of"
            )
        top[0].reshape(bottom[1].num, bottom[0].channels, *self.sizes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for (image, rows, columns), out in zip(self._regions(bottom), top[0].data, strict=True):
            out[...] = sampled(bottom[0].data[image], rows.line, columns.line)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            for (image, rows, columns), seed in zip(self._regions(bottom), top[0].diff, strict=True):
                bottom[0].diff[image] += rows.counted().T @ seed @ columns.counted()
        if propagate_down[1]:
            of_rois = bottom[1].diff.reshape(-1, 5)
            for r, (image, rows, columns) in enumerate(self._regions(bottom)):
                of_rois[r] = self._at_roi(bottom[0].data[image], top[0].diff[r], rows, columns)

    def _regions(self, bottom: Sequence[Blob]) -> Iterator[tuple[int, _Side, _Side]]:
        """Of each RoI the image, and its extent down and across."""
        for image, *corners in read_rois(self, bottom, self.scale):
            x1, y1, x2, y2 = (_round(corner * self.scale) for corner in np.asarray(corners, self.dtype))
            height, width = bottom[0].shape[2:]
            yield int(image), _Side(y1, y2, self.sizes[0], height), _Side(x1, x2, self.sizes[1], width)

    def _at_roi(self, maps: np.ndarray, seed: np.ndarray, rows: _Side, columns: _Side) -> list[float]:
        counts = rows.inner()[:, None] & columns.inner()
        seed = np.where(counts, seed, 0)
        across = _steps(between(maps, rows.line, -2), columns.line, -1) * seed
        down = _steps(between(maps, columns.line, -1), rows.line, -2) * seed
        across, down = across.sum(axis=(0, 1)), down.sum(axis=(0, 2))
        x, y = columns.ratios(), rows.ratios()
        sums = [(across * (1 - x)).sum(), (down * (1 - y)).sum(), (across * x).sum(), (down * y).sum()]
        return [0, *(float(value * self.scale) for value in sums)]


class _Side:
    """The extent of a RoI along one axis of the map, and the places of its samples there."""

    def __init__(self, start: np.floating, end: np.floating, bins: int, size: int):
        self.start, self.end, self.bins = start, end, bins
        step = np.maximum(end - start, start.dtype.type(0)) / start.dtype.type(bins)
        self.line = Line(start + np.arange(bins, dtype=start.dtype) * step, size)
        self.wide_step = np.maximum(end - start + start.dtype.type(1), 1) / start.dtype.type(bins)

    def counted(self) -> np.ndarray:
        """What each pixel counts in the gradient of each sample: bins x size."""
        pixels = np.arange(self.line.size, dtype=self.start.dtype)
        first = np.floor((pixels - self.start - 1) / self.wide_step - 1)
        last = np.ceil((pixels - self.start + 1) / self.wide_step)
        bins = np.arange(self.bins)[:, None]
        in_roi = (pixels >= self.start) & (pixels <= self.end)
        return self.line.matrix() * (in_roi & (bins >= first) & (bins < last))

    def inner(self) -> np.ndarray:
        """Which samples have a gradient at the RoI."""
        return self.line.inside & (self.line.low + 1 < self.line.size)

    def ratios(self) -> np.ndarray:
        """How far each sample is from the start to the end."""
        return (self.line.at - self.start) / self.wide_step / self.bins


def _steps(maps: np.ndarray, line: Line, axis: int) -> np.ndarray:
    """How much more there is behind each place than before it."""
    return maps.take(line.high, axis) - maps.take(line.low, axis)


def _round(value: np.floating) -> np.floating:
    """The nearest whole number, halves away from 0."""
    whole = np.trunc(value)
    return whole + np.copysign(whole.dtype.type(abs(value - whole) >= 0.5), value)
