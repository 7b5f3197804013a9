"""HeatmapGenerating."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("HeatmapGenerating")
class HeatmapGenerating(Layer):
    """The greatest probability of a class at each place; channel 0 is the background and does not count.

    bottom[0]: N x C x H x W. top[0]: N x 1 x H x W, -1 where no probability is above it; the gradient goes to the
    first of the greatest. Raises LayerError for another shape, and for fewer than two channels.
    Source: HeatmapGeneratingLayer of SubCNN's Caffe.
    """

    reads = ()
    origin = "SubCNN"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] < 2:
            raise self.error(
                f"bottom[0] has the shape {shape}; expected N x C x H x W, with a background and classes"
            )
        top[0].reshape(shape[0], 1, *shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        best = bottom[0].data[:, 1:].argmax(axis=1) + 1
        greatest = np.take_along_axis(bottom[0].data, best[:, None], axis=1)
        found = greatest > -1
        top[0].data[...] = np.where(found, greatest, -1)
        self.best = np.where(found, best[:, None], 0)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff.fill(0)
            np.put_along_axis(bottom[0].diff, self.best, top[0].diff, axis=1)
