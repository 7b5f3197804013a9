"""Ones above a threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("Threshold")
class Threshold(InPlaceLayer):
    """1 where x > threshold_param.threshold, else 0; any shape. It has no backward.

    Source: Caffe's ThresholdLayer.
    """

    reads = ("threshold_param",)
    has_backward = False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        threshold = bottom[0].dtype.type(self.layer_param.threshold_param.threshold)
        np.greater(bottom[0].data, threshold, out=top[0].data)
