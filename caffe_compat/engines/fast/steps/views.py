"""Layers that only give their bottom another name or shape."""

from __future__ import annotations

from caffe_compat.engines.fast.steps.step import Blobs, Calls, Step
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.view_layer import ViewLayer
from caffe_compat.layers.dropout import Dropout
from caffe_compat.layers.split import Split


class View(Step):
    """Split, Flatten and their like, and Dropout in place that neither draws nor scales: the top is the bottom.

    Nothing is left to do for them once they share its memory.
    """

    @staticmethod
    def fits(layer: Layer) -> bool:
        if isinstance(layer, Dropout):
            return layer.layer_param.bottom == layer.layer_param.top and not layer.draws and layer.scale == 1
        return type(layer) is Split or (
            isinstance(layer, ViewLayer) and type(layer).forward is ViewLayer.forward
        )

    def share(self, bottoms: Blobs, tops: Blobs) -> None:
        if not isinstance(self.layers[0], Dropout):
            self.layers[0].forward(bottoms[0], tops[0])

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        return ()
