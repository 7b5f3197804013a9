"""What Scale and Bias share: a factor or term that stands for some axes of the bottom."""

from __future__ import annotations

import math

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis


def param_shape(layer: Layer, axis: int, num_axes: int, bottom: Blob) -> tuple[int, ...]:
    """Return the shape of `num_axes` axes of the bottom from `axis` on (-1: all of them).

    Raises LayerError where there are not so many.
    """
    axis = canonical_axis(layer, axis, bottom)
    end = len(bottom.shape) if num_axes == -1 else axis + num_axes
    if num_axes < -1 or end > len(bottom.shape):
        raise layer.error(
            f"num_axes is {num_axes} from axis {axis} on, the bottom has the shape {bottom.shape}; "
            f"give 0 to {len(bottom.shape) - axis}, or -1 for all"
        )
    return bottom.shape[axis:end]


def broadcast_view(layer: Layer, axis: int, bottom: Blob, values: Blob) -> tuple[int, int, int]:
    """Return the bottom's shape as (outer, elements of values, inner), where values stand from `axis` on.

    A scalar stands for the whole bottom, whatever the axis. Raises LayerError where the shapes do not fit.
    """
    if not values.shape:
        return 1, 1, bottom.count
    axis = canonical_axis(layer, axis, bottom)
    end = axis + len(values.shape)
    if bottom.shape[axis:end] != values.shape:
        raise layer.error(
            f"the shape {values.shape} does not fit the bottom's {bottom.shape} from axis {axis} on"
        )
    return math.prod(bottom.shape[:axis]), values.count, math.prod(bottom.shape[end:])
