"""ConvolutionDepthwise."""

from __future__ import annotations

from caffe_compat.layers.convolution.depthwise_convolution import DepthwiseConvolution
from caffe_compat.layers.registry import register


@register("ConvolutionDepthwise")
class ConvolutionDepthwise(DepthwiseConvolution):
    """A DepthwiseConvolution whose num_output and group are always the number of channels, whatever the file says.

    Raises LayerError for a bottom of other than four axes, and for several bottoms.
    Source: ConvolutionDepthwiseLayer of pull request 5665 of BVLC's Caffe, and of its many copies.
    """

    bottom_count = (1, 1)
    top_count = (1, 1)
    without_effect = (
        "convolution_param.force_nd_im2col",
        "convolution_param.num_output",
        "convolution_param.group",
    )
    refused = {"convolution_param.axis": "the channels are always on axis 1; remove it"}

    def _outputs_and_groups(self) -> tuple[int, int]:
        return self._channels, self._channels
