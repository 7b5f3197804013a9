"""Truncation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("Truncation")
class Truncation(InPlaceLayer):
    """x, but the lower bound at least and the upper bound at most; any shape.

    truncation_param.truncation_min (0) and truncation_max (1): outside, the gradient passes where it would lead x back,
    so that a learned x cannot get stuck there; it is not the slope. lower_bound (0) and upper_bound (5): it passes
    only between the bounds. Raises LayerError for fields of both pairs or of none, and for bounds that are crossed.

    Source: TruncationLayer of SSAW14's Caffe (the first pair) and of happynear's (the second).
    """

    reads = ("truncation_param",)
    origin = "SSAW14, happynear"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.truncation_param
        given = {field.name for field, _ in param.ListFields()}
        ours, theirs = given & {"truncation_min", "truncation_max"}, given & {"lower_bound", "upper_bound"}
        if bool(ours) == bool(theirs):
            raise self.error(
                "give truncation_min and truncation_max, or lower_bound and upper_bound, which give another gradient"
            )
        self.leads_back = bool(ours)
        bounds = (
            (param.truncation_min, param.truncation_max) if ours else (param.lower_bound, param.upper_bound)
        )
        if bounds[0] > bounds[1]:
            raise self.error(f"the lower bound {bounds[0]:g} is above the upper bound {bounds[1]:g}")
        self.low, self.high = map(bottom[0].dtype.type, bounds)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.clip(self.keep_input(bottom, top), self.low, self.high, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, diff = self.kept_input(bottom, top), top[0].diff
        if self.leads_back:
            stopped = ((x < self.low) & (diff < 0)) | ((x > self.high) & (diff > 0))
        else:
            stopped = ~((x > self.low) & (x < self.high))
        bottom[0].diff[...] = np.where(stopped, 0, diff)
