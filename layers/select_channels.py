"""SelectChannels: what channel pruning's Caffe calls Filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import FillerParameter, LayerParameter

ONES = FillerParameter(type="constant", value=1)


def is_pruned(layer_param: LayerParameter) -> bool:
    """Whether a layer of type Filter is channel pruning's."""
    return layer_param.HasField("filter_param")


@register_form("SelectChannels", of="Filter", describes=is_pruned)
class SelectChannels(Layer):
    """Those items along filter_param.axis (1: channels) whose number in params[0] is not 0, num_output of them.

    A layer of type Filter with a filter_param is this one. bottoms, tops: any shapes, as many tops as bottoms; the axis
    becomes num_output. params[0]: as many numbers as the axis has, 1 at first (then the first num_output items count;
    the fork wants exactly num_output other than 0). They get no gradient; items that are left out get the gradient 0.
    Raises LayerError for other numbers of tops, and where fewer than num_output numbers are not 0.
    Source: FilterLayer of yihui-he's Caffe, on its GPU; He, Zhang and Sun, Channel Pruning (2017).
    """

    reads = ("filter_param",)
    origin = "channel pruning"
    bottom_count = (1, None)
    top_count = (1, None)
    equal_bottom_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.axis = canonical_axis(self, self.layer_param.filter_param.axis, bottom[0])
        set_up_params(self, ((bottom[0].shape[self.axis],), ONES))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        count, selected = self.blobs[0].count, self.layer_param.filter_param.num_output
        for below, above in zip(bottom, top, strict=True):
            shape = list(below.shape)
            if len(shape) <= self.axis or shape[self.axis] != count or not 0 <= selected <= count:
                raise self.error(
                    f"num_output is {selected}, a bottom has the shape {below.shape}; expected {count} along axis "
                    f"{self.axis}, and at most as many to select"
                )
            shape[self.axis] = selected
            above.reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        kept, selected = np.flatnonzero(self.blobs[0].data), self.layer_param.filter_param.num_output
        if len(kept) < selected:
            raise self.error(f"{len(kept)} numbers of its param are not 0, num_output is {selected}")
        self.kept = kept[:selected]
        for below, above in zip(bottom, top, strict=True):
            above.data[...] = np.take(below.data, self.kept, axis=self.axis)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        places: Any = (*[slice(None)] * self.axis, self.kept)
        for below, above, wanted in zip(bottom, top, propagate_down, strict=True):
            if wanted:
                below.diff[...] = 0
                below.diff[places] = above.diff
