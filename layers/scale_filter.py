"""ScaleFilter: maps that are scaled at random in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng


@register("ScaleFilter")
class ScaleFilter(InPlaceLayer):
    """Each map times a number drawn from scale_filter_param.min_scale to max_scale, in phase TRAIN; in TEST as it is.

    bottom, top: N x C x H x W. N C draws of the global stream, in their order. Raises LayerError for other axes, and
    unless 0 < min_scale < max_scale.
    Source: ScaleFilterLayer of OpenVINO's training toolbox (opencv/training_toolbox_caffe).
    """

    reads = ("scale_filter_param",)
    origin = "OpenVINO"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.scale_filter_param
        if not 0 < param.min_scale < param.max_scale:
            raise self.error(
                f"min_scale is {param.min_scale:g}, max_scale {param.max_scale:g}; the former must be above 0, and "
                "below the latter"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(bottom[0].shape) != 4:
            raise self.error(f"the bottom has the shape {bottom[0].shape}, expected N x C x H x W")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.scale_filter_param, bottom[0].shape
        scales = np.ones((*shape[:2], 1, 1), np.float32)
        if self.phase == TRAIN:
            caffe_rng().uniform(param.min_scale, param.max_scale, scales)
        self.scales = scales.astype(bottom[0].dtype)
        np.multiply(bottom[0].data, self.scales, out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            np.multiply(top[0].diff, self.scales, out=bottom[0].diff)
