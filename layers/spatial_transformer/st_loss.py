"""STLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import MAX_COUNT, Blob
from caffe_compat.layers.common.loss import loss_weight
from caffe_compat.layers.registry import register
from caffe_compat.layers.spatial_transformer.beyond_loss import BeyondLoss, beyond
from caffe_compat.layers.spatial_transformer.grid import grid


@register("STLoss")
class STLoss(BeyondLoss):
    """Keeps the places of a SpatialTransformer in the map (st_loss_param).

    bottom: N of six numbers theta. The loss is half the squares of how far each place of output_H x output_W is beyond
    -1 to 1, in rows and in columns, averaged over places and images. Raises LayerError for other counts, and for a
    size below 1. Source: STLossLayer of daerduoCarey's Caffe, its GPU kernel: there is none for the CPU.
    """

    reads = ("st_loss_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.st_loss_param
        if min(param.output_H, param.output_W) < 1:
            raise self.error(
                f"output_H is {param.output_H} and output_W {param.output_W}; both must be above 0"
            )
        if param.output_H * param.output_W > MAX_COUNT:
            raise self.error(f"{param.output_H} x {param.output_W} places are more than {MAX_COUNT}")
        self.grid = grid(param.output_H, param.output_W, self.dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[0].count != 6 * bottom[0].num:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected six numbers an image")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        far = self._beyond(bottom)
        top[0].data[...] = (far**2).sum(dtype=np.float64) / 2 / (bottom[0].num * len(self.grid))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.dtype(loss_weight(top) / (bottom[0].num * len(self.grid)))
            bottom[0].diff[...] = (self._beyond(bottom) @ self.grid * scale).reshape(bottom[0].shape)

    def _beyond(self, bottom: Sequence[Blob]) -> np.ndarray:
        """N x 2 x places: how far the row and the column of each place are beyond the map."""
        return beyond(bottom[0].data.reshape(-1, 2, 3) @ self.grid.T, 1)
