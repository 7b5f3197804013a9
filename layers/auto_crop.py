"""AutoCrop."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.crop import Crop
from caffe_compat.layers.registry import register


@register("AutoCrop")
class AutoCrop(Crop):
    """Crop whose offsets follow from the layers between the two bottoms; reading the net fills in crop_param.

    Without a crop_param there is no way between the bottoms: raises LayerError.
    Source: AutoCropLayer of RCF's fork of Caffe.
    """

    origin = "RCF"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.layer_param.crop_param.offset:
            raise self.error(
                "the offsets do not follow from the layers between the bottoms; give crop_param { offset: ... }"
            )
