"""Joining blobs along an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.registry import register


@register("Concat")
class Concat(Layer):
    """The bottoms one after the other along concat_param.axis (1: channels; legacy: concat_dim).

    Raises LayerError for bottoms that differ in another dim, an axis out of range, or both kinds of axis.
    Source: Caffe's ConcatLayer.
    """

    reads = ("concat_param",)
    bottom_count = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.concat_param
        if param.HasField("axis") and param.HasField("concat_dim"):
            raise self.error("both axis and the legacy concat_dim are given; keep the axis")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.concat_param
        self.axis = canonical_axis(
            self, param.concat_dim if param.HasField("concat_dim") else param.axis, bottom[0]
        )
        before, after = bottom[0].shape[: self.axis], bottom[0].shape[self.axis + 1 :]
        for i, blob in enumerate(bottom):
            if (blob.shape[: self.axis], blob.shape[self.axis + 1 :]) != (before, after):
                raise self.error(
                    f"bottom[{i}] has the shape {blob.shape}, bottom[0] {bottom[0].shape}; "
                    f"they may differ in axis {self.axis} only"
                )
        top[0].reshape(*before, sum(blob.shape[self.axis] for blob in bottom), *after)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.concatenate([blob.data for blob in bottom], axis=self.axis, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        ends = np.cumsum([blob.shape[self.axis] for blob in bottom])
        for blob, wanted, diff in zip(
            bottom, propagate_down, np.split(top[0].diff, ends[:-1], self.axis), strict=True
        ):
            if wanted:
                np.copyto(blob.diff, diff)
