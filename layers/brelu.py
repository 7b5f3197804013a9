"""BReLU."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.limits import LimitsLayer
from caffe_compat.layers.registry import register


@register("BReLU")
class BReLU(LimitsLayer):
    """x, but brelu_param.minval at least and brelu_param.maxval at most; any shape.

    They are 0 and 1 where they are not given. The gradient is 0 where x lies outside. Raises LayerError where they are
    the wrong way round.
    Source: BReLULayer of yanhuama/mycaffe; Cai et al., DehazeNet (2016).
    """

    reads = ("brelu_param",)
    origin = "yanhuama's"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.brelu_param
        if param.minval > param.maxval:
            raise self.error(f"minval {param.minval:g} is above maxval {param.maxval:g}")
        self.limits = bottom[0].dtype.type(param.minval), bottom[0].dtype.type(param.maxval)
