"""GradientSilent."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.view_layer import ViewLayer
from caffe_compat.layers.registry import register


@register("GradientSilent")
class GradientSilent(ViewLayer):
    """Passes bottom[0] on, and its gradient only where the first number of bottom[1] is not 0; any shapes.

    Source: GradientSilentLayer of da-faster-rcnn on its GPU (its CPU stops every gradient); Chen et al., Domain
    Adaptive Faster R-CNN (2018).
    """

    reads = ()
    origin = "da-faster-rcnn"
    bottom_count = (2, 2)
    no_gradient = (1,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not bottom[1].count:
            raise self.error(f"bottom[1] has the shape {bottom[1].shape}; expected a number, 0 or not")
        top[0].reshape(*bottom[0].shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if bottom[1].data.flat[0] != 0:
            super().backward(top, propagate_down, bottom)
        elif propagate_down[0]:
            bottom[0].diff.fill(0)
