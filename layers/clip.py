"""Values cut off below and above."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.limits import LimitsLayer
from caffe_compat.layers.registry import register


@register("Clip")
class Clip(LimitsLayer):
    """x, but clip_param.min at least and clip_param.max at most; any shape.

    The gradient is 0 where x lies outside. Raises LayerError without clip_param, or for min above max.
    Source: ClipLayer of BVLC's Caffe, whose gradient in place is wrong; here it is right.
    """

    reads = ("clip_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.clip_param
        if not self.layer_param.HasField("clip_param"):
            raise self.error("has no clip_param; give 'clip_param { min: ... max: ... }'")
        if param.min > param.max:
            raise self.error(f"clip_param.min {param.min:g} is above clip_param.max {param.max:g}")
        self.limits = bottom[0].dtype.type(param.min), bottom[0].dtype.type(param.max)
