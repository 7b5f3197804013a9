"""Axes of a blob in another order."""

from __future__ import annotations

from caffe_compat.layers.common.reordered import Reordered
from caffe_compat.layers.registry import register


@register("Permute")
class Permute(Reordered):
    """Axis i of the top is axis permute_param.order[i] of the bottom; axes not named follow in their order.

    Raises LayerError for an axis that is named twice, or that the bottom does not have.
    Source: PermuteLayer of the SSD fork of Caffe (Liu et al., SSD: Single Shot MultiBox Detector, 2016).
    """

    reads = ("permute_param",)
    origin = "SSD"

    def order_of(self, shape: tuple[int, ...]) -> list[int]:
        order = list(self.layer_param.permute_param.order)
        if len(set(order)) != len(order) or any(axis >= len(shape) for axis in order):
            raise self.error(
                f"order is {order}; expected axes of a bottom of shape {shape}, none of them twice"
            )
        return order + [axis for axis in range(len(shape)) if axis not in order]
