"""BoundedScale: a Scale whose factors have bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.scale import Scale
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def has_bounds(layer_param: LayerParameter) -> bool:
    """Whether a Scale has min_value or max_value."""
    param = layer_param.scale_param
    return param.HasField("min_value") or param.HasField("max_value")


@register_form("BoundedScale", of="Scale", describes=has_bounds)
class BoundedScale(Scale):
    """Scale by a param that each forward first moves up to min_value and down to max_value, for good.

    A layer of type Scale with one of the two is this one. Raises LayerError as Scale does, and for a second bottom.
    Source: ScaleLayer of happynear's Caffe.
    """

    reads = ("scale_param",)
    origin = "happynear"
    bottom_count = (1, 1)
    changes_params = True
    refused = {"scale_param.scale_factor": "it is of another Caffe than bounds; remove it"}

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, scale = self.layer_param.scale_param, self.blobs[0].data
        if param.HasField("min_value"):
            np.maximum(scale, param.min_value, out=scale)
        if param.HasField("max_value"):
            np.minimum(scale, param.max_value, out=scale)
        super().forward(bottom, top)
