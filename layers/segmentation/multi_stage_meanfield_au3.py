"""MultiStageMeanfieldAU3: ARL's mean field over features."""

from __future__ import annotations

from caffe_compat.layers.registry import register
from caffe_compat.layers.segmentation.meanfield import Meanfield, refused, without_effect
from caffe_compat.prototxt.caffe_pb2 import MultiStageMeanfieldParameter


@register("MultiStageMeanfieldAU3")
class MultiStageMeanfieldAU3(Meanfield):
    """MultiStageMeanfield whose bottom[2] has features of any number, N x K x H x W
    (multi_stage_meanfield_au3_param); they stand in the place of the image's colours.

    Source: MultiStageMeanfieldAU3Layer of ARL (ZhiwenShao).
    """

    reads = ("multi_stage_meanfield_au3_param",)
    without_effect = without_effect("multi_stage_meanfield_au3_param")
    refused = refused("multi_stage_meanfield_au3_param")
    origin = "ARL"
    features = None

    @property
    def settings(self) -> MultiStageMeanfieldParameter:
        return self.layer_param.multi_stage_meanfield_au3_param
