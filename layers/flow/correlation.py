"""Correlation, and Correlation1D."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import CorrelationParameter

Shift = tuple[int, int]


@register("Correlation")
class Correlation(Layer):
    """How well patches of one map fit those of another around the same place (correlation_param).

    bottoms: two of N x C x H x W, both padded with `pad` zeros. top: N x D D x H' x W', D = 2 (max_displacement /
    stride_2, rounded down) + 1, one channel for each displacement of the second map, in steps of stride_2, row by row;
    H' and W' count the patches of the first, at every stride_1, from which a displacement of max_displacement stays
    inside. Each number is the mean over a patch of kernel_size x kernel_size pixels and its channels, of products, or
    with correlation_type SUBTRACT of distances; the gradient of these is not the true one: it compares both maps at the
    displaced pixel. Raises LayerError for bottoms of different shapes, a kernel_size that is not odd, and where no
    patch fits.

    Source: CorrelationLayer of lmb-freiburg/flownet2, its GPU kernels: there are none for the CPU. do_abs is read
    nowhere. Fischer et al., FlowNet (2015).
    """

    reads = ("correlation_param",)
    without_effect: tuple[str, ...] = ("correlation_param.do_abs", "correlation_param.single_direction")
    bottom_count = (2, 2)
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.correlation_param
        for name in ("kernel_size", "max_displacement"):
            if not param.HasField(name):
                raise self.error(f"{name} is missing; give it in correlation_param")
        if param.kernel_size % 2 == 0:
            raise self.error(f"kernel_size is {param.kernel_size}; it must be odd")
        if min(param.stride_1, param.stride_2) < 1:
            raise self.error(
                f"stride_1 is {param.stride_1} and stride_2 {param.stride_2}; both must be above 0"
            )

    def steps(self) -> tuple[range, range]:
        """How far the second map is displaced, down and right, in units of stride_2: a channel of the top for each."""
        return self._range(), self._range()

    def margins(self) -> tuple[Shift, Shift]:
        """The padding of rows and of columns, and the largest displacement of each."""
        param = self.layer_param.correlation_param
        return (param.pad, param.pad), (param.max_displacement, param.max_displacement)

    def _range(self) -> range:
        param = self.layer_param.correlation_param
        radius = param.max_displacement // param.stride_2
        return range(-radius, radius + 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.correlation_param, bottom[0].shape
        if len(shape) != 4 or bottom[1].shape != shape:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x C x H x W twice"
            )
        self.pads, self.reaches = self.margins()
        self.counts = tuple(
            -((2 * reach + param.kernel_size - 1 - size - 2 * pad) // param.stride_1)
            for size, pad, reach in zip(shape[2:], self.pads, self.reaches, strict=True)
        )
        if min(self.counts) < 1:
            raise self.error(
                f"patches of {param.kernel_size} x {param.kernel_size} and displacements of up to "
                f"{param.max_displacement} do not fit into a bottom of {shape}; raise pad"
            )
        down, right = self.steps()
        top[0].reshape(shape[0], len(down) * len(right), *self.counts)
        self.shifts = [(i * param.stride_2, j * param.stride_2) for i in down for j in right]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        subtracts = self.layer_param.correlation_param.correlation_type == CorrelationParameter.SUBTRACT
        first, second = (self._padded(blob.data) for blob in bottom)
        here = first[self._pixels((0, 0))]
        for channel, shift in enumerate(self.shifts):
            there = second[self._pixels(shift)]
            if subtracts:
                fit = np.abs(here - there).sum(axis=1)
            else:
                fit = np.einsum("nchw,nchw->nhw", here, there)
            total = sum((fit[part] for part in self._parts()), np.zeros_like(top[0].data[:, 0]))
            np.divide(total, self._count(bottom), out=top[0].data[:, channel])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        subtracts = self.layer_param.correlation_param.correlation_type == CorrelationParameter.SUBTRACT
        first, second = (self._padded(blob.data) for blob in bottom)
        diffs = [np.zeros_like(first), np.zeros_like(second)]
        here = self._pixels((0, 0))
        for channel, shift in enumerate(self.shifts):
            seed = self._spread(top[0].diff[:, channel] / self._count(bottom))[:, None]
            there = self._pixels(shift)
            if subtracts:
                factors = _signs(first[there], second[there]), -_signs(first[here], second[here])
            else:
                factors = second[there], first[here]
            for diff, place, factor in zip(diffs, (here, there), factors, strict=True):
                diff[place] += seed * factor
        for blob, wanted, diff in zip(bottom, propagate_down, diffs, strict=True):
            if wanted:
                blob.diff[...] = self._inner(diff, blob.shape)

    def _count(self, bottom: Sequence[Blob]) -> np.floating:
        return self.dtype(self.layer_param.correlation_param.kernel_size**2 * bottom[0].channels)

    def _padded(self, maps: np.ndarray) -> np.ndarray:
        return np.pad(maps, ((0, 0), (0, 0), *((pad, pad) for pad in self.pads)))

    def _inner(self, padded: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """A padded map without the padding."""
        ends = (size - pad for size, pad in zip(padded.shape[2:], self.pads, strict=True))
        rows, columns = (slice(end - size, end) for end, size in zip(ends, shape[2:], strict=True))
        return padded[:, :, rows, columns]

    def _pixels(self, shift: Shift) -> tuple[slice, ...]:
        """The part of a padded map with all patches, displaced by so much."""
        starts = [reach + by for reach, by in zip(self.reaches, shift, strict=True)]
        rows, columns = (
            slice(start, start + size) for start, size in zip(starts, self._extent(), strict=True)
        )
        return slice(None), slice(None), rows, columns

    def _extent(self) -> list[int]:
        param = self.layer_param.correlation_param
        return [(count - 1) * param.stride_1 + param.kernel_size for count in self.counts]

    def _parts(self) -> Iterator[tuple[slice, ...]]:
        """For each pixel of a patch, where it is of all of them in the part that `_pixels` cuts out."""
        param = self.layer_param.correlation_param
        for at in itertools.product(range(param.kernel_size), repeat=2):
            ends = (
                start + (count - 1) * param.stride_1 + 1 for start, count in zip(at, self.counts, strict=True)
            )
            yield (slice(None), *(slice(s, e, param.stride_1) for s, e in zip(at, ends, strict=True)))

    def _spread(self, diff: np.ndarray) -> np.ndarray:
        """The gradient at the pixels of all patches, of that at the patches."""
        result = np.zeros((len(diff), *self._extent()), diff.dtype)
        for part in self._parts():
            result[part] += diff
        return result


@register("Correlation1D")
class Correlation1D(Correlation):
    """Correlation with displacements and padding along the rows only.

    top: N x D x H' x W'. single_direction: -1 displaces to the left only, D = max_displacement / stride_2 + 1, by 1 to
    D steps, as there; 1 to the right only, by 0 to D - 1. What a displacement further than max_displacement finds left
    of the padded map counts 0; there it is the end of the row before. Raises LayerError for another single_direction.

    Source: Correlation1DLayer of lmb-freiburg/flownet2, its GPU kernels. Mayer et al., A Large Dataset to Train
    Convolutional Networks for Disparity, Optical Flow, and Scene Flow Estimation (2016).
    """

    without_effect = ("correlation_param.do_abs",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        direction = self.layer_param.correlation_param.single_direction
        if direction not in (-1, 0, 1):
            raise self.error(f"single_direction is {direction}; it must be -1 (left), 0 (both) or 1 (right)")
        super().setup(bottom, top)

    def steps(self) -> tuple[range, range]:
        direction, both = self.layer_param.correlation_param.single_direction, self._range()
        count = len(both) // 2 + 1
        ranges = {-1: range(-count, 0), 0: both, 1: range(count)}
        return range(1), ranges[direction]

    def margins(self) -> tuple[Shift, Shift]:
        param = self.layer_param.correlation_param
        return (0, param.pad), (0, param.max_displacement)

    def _padded(self, maps: np.ndarray) -> np.ndarray:
        more = self._more()
        return np.pad(super()._padded(maps), ((0, 0), (0, 0), (0, 0), (more, 0)))

    def _pixels(self, shift: Shift) -> tuple[slice, ...]:
        return super()._pixels((shift[0], shift[1] + self._more()))

    def _more(self) -> int:
        """How many more columns a displacement to the left needs than max_displacement."""
        return max(0, -min(right for _, right in self.shifts) - self.reaches[1])


def _signs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.where(first >= second, 1, -1).astype(first.dtype)
