"""Several axes as one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import canonical_axis
from caffe_compat.layers.common.view_layer import ViewLayer
from caffe_compat.layers.registry import register


@register("Flatten")
class Flatten(ViewLayer):
    """The axes from flatten_param.axis (1) to end_axis (the last) become one; the top shares the bottom's data.

    end_axis may be one before axis: then an axis of size 1 is put in. Raises LayerError for an axis out of range,
    or an end before that.

    Source: Caffe's FlattenLayer.
    """

    reads = ("flatten_param",)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.flatten_param, bottom[0].shape
        start = canonical_axis(self, param.axis, bottom[0])
        end = canonical_axis(self, param.end_axis, bottom[0]) + 1
        if end < start:
            raise self.error(f"end_axis {param.end_axis} lies before axis {param.axis} of the shape {shape}")
        top[0].reshape(*shape[:start], math.prod(shape[start:end]), *shape[end:])
