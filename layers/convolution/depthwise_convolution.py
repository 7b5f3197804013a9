"""DepthwiseConvolution."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.depthwise import Depthwise
from caffe_compat.layers.registry import register


@register("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    """A Convolution of two spatial axes in which every channel has one filter of its own.

    All is as in Convolution, with its convolution_param, for num_output = group = C, and the numbers are its; params:
    filters C x 1 x kernel_h x kernel_w; bias C, unless bias_term is false. A group that is not given is C. Raises
    LayerError where num_output or group is not the number of channels.

    Source: DepthwiseConvolutionLayer of yonghenglh6 for MobileNets; Howard and others, MobileNets (2017), section 3.1.
    """

    origin = "MobileNet"
    _algorithm_class = Depthwise

    def _outputs_and_groups(self) -> tuple[int, int]:
        outputs, group = super()._outputs_and_groups()
        return outputs, group if self.layer_param.convolution_param.HasField("group") else self._channels

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if not self._channels == self._num_output == self.group:
            raise self.error(
                f"num_output is {self._num_output} and group {self.group}, with {self._channels} channels in the "
                'bottom; all three must be the same: make them so, or use type: "Convolution"'
            )
        if len(self.geometry.kernel) != 2:
            raise self.error(
                f"the bottom has the shape {bottom[0].shape}; expected two spatial axes, for others use "
                'type: "Convolution"'
            )
