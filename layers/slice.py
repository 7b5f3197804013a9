"""Cutting a blob along an axis."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.registry import register


@register("Slice")
class Slice(Layer):
    """The tops are the parts of the bottom along slice_param.axis (1: channels; legacy: slice_dim).

    The parts end at the slice_points, or are of equal size. Raises LayerError for an axis out of range, both
    kinds of axis, and points that do not cut the axis into as many parts as there are tops.

    Source: Caffe's SliceLayer.
    """

    reads = ("slice_param",)
    top_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.slice_param
        if param.HasField("axis") and param.HasField("slice_dim"):
            raise self.error("both axis and the legacy slice_dim are given; keep the axis")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.slice_param, bottom[0].shape
        self.axis = canonical_axis(
            self, param.slice_dim if param.HasField("slice_dim") else param.axis, bottom[0]
        )
        self._points = list(param.slice_point) or self._even_points(shape, len(top))
        ends = [0, *self._points, shape[self.axis]]
        sizes = [end - start for start, end in itertools.pairwise(ends)]
        if len(sizes) != len(top) or (param.slice_point and min(sizes) < 1):
            raise self.error(
                f"slice_points {self._points} do not cut axis {self.axis} of the shape {shape} into {len(top)} "
                "parts, one for each top"
            )
        for blob, size in zip(top, sizes, strict=True):
            blob.reshape(*shape[: self.axis], size, *shape[self.axis + 1 :])

    def _even_points(self, shape: tuple[int, ...], parts: int) -> list[int]:
        size, rest = divmod(shape[self.axis], parts)
        if rest:
            raise self.error(
                f"axis {self.axis} of the shape {shape} cannot be cut into {parts} equal parts, one for each "
                "top; give slice_points"
            )
        return [size * i for i in range(1, parts)]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, part in zip(top, np.split(bottom[0].data, self._points, self.axis), strict=True):
            np.copyto(blob.data, part)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.concatenate([blob.diff for blob in top], axis=self.axis, out=bottom[0].diff)
