"""Convolution with a padding of its own on each side."""

from __future__ import annotations

from caffe_compat.layers.common.padded import Padded, has_sides
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


@register_form("PaddedConvolution", of="Convolution", describes=has_sides)
class PaddedConvolution(Padded):
    """A convolution of an image with paddings of their own on each side (padding_sides_param).

    A layer of type Convolution with pad_l, pad_r, pad_t and pad_b that are not the same on both sides is this one.
    bottom: N x C x H x W; top: N x num_output x H' x W' with H' = (H + top + bottom - extent) / stride + 1, and W'
    likewise. params are Convolution's. Raises LayerError for params that do not fit, and for bottoms of other axes.
    Source: ConvolutionLayer of Synopsys' Caffe.
    """

    reads = ("convolution_param", "padding_sides_param")
    origin = "Synopsys"
    plain_class = Convolution
    param_axes = Convolution.param_axes
    without_effect = ("convolution_param.force_nd_im2col",)
    refused = {
        **{f"convolution_param.{name}": "give the sides" for name in ("pad", "pad_h", "pad_w")},
        "convolution_param.axis": "the channels are on axis 1; remove it",
    }

    def _plain_param(self) -> LayerParameter:
        param = self.layer_param.convolution_param
        return LayerParameter(name=self.name, type=self.type, convolution_param=param)
