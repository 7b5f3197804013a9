"""Axes of a blob in another order, all of them named."""

from __future__ import annotations

from caffe_compat.layers.common.reordered import Reordered
from caffe_compat.layers.registry import register


@register("Transpose")
class Transpose(Reordered):
    """Axis i of the top is axis transpose_param.dim[i] of the bottom.

    Raises LayerError unless each axis of the bottom is named once.
    Source: TransposeLayer of CTPN's fork of Caffe (tianzhi0549/CTPN).
    """

    reads = ("transpose_param",)
    origin = "CTPN"

    def order_of(self, shape: tuple[int, ...]) -> list[int]:
        order = list(self.layer_param.transpose_param.dim)
        if sorted(order) != list(range(len(shape))):
            raise self.error(f"dim is {order}; it has to name each axis of a bottom of shape {shape} once")
        return order
