"""DilatedByBottom: what a Convolution with a bottom of dilations is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.convolution.bent_convolution import BentConvolution
from caffe_compat.layers.kernels import dilations as kernels
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import ConvolutionParameter, LayerParameter


def has_dilations(layer_param: LayerParameter) -> bool:
    """Whether a layer of type Convolution has a bottom of dilations: two bottoms, and one top."""
    return len(layer_param.bottom) == 2 and len(layer_param.top) == 1


@register_form("DilatedByBottom", of="Convolution", describes=has_dilations)
class DilatedByBottom(BentConvolution):
    """A convolution of 3 x 3 pixels whose dilation is another one at every pixel (convolution_param).

    A layer of type Convolution with two bottoms and one top is this one. bottom[0]: N x C x H x W. bottom[1]: the same,
    each channel's dilations, 0 or more. top[0]: N x num_output x H x W. With f for a dilation d rounded down (but `pad`
    - 1 where that is `pad`), each pixel of a window is read bilinearly between the dilations f and f + 1, d - f being
    the share of the latter, and is 0 where the pixel at f + 1 lies outside. params are Convolution's.
    Raises LayerError for other kernels, a stride, unless dilation and pad are equal, for shapes that do not fit, and
    dilations below 0.

    Source: ConvolutionLayer of SSAW14/LearnableDilationNetwork, on its GPU; the CPU there rounds the dilations.
    """

    reads = ("convolution_param",)
    origin = "LearnableDilationNetwork"
    without_effect = ("convolution_param.force_nd_im2col",)
    refused = {"convolution_param.axis": "the channels are on axis 1; remove it"}

    def param(self) -> ConvolutionParameter:
        return self.layer_param.convolution_param

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        window = self.plain.geometry
        if window.kernel != (3, 3) or window.stride != (1, 1) or {*window.pad} != {*window.dilation}:
            raise self.error(
                f"kernel, stride, pad and dilation are {window.kernel}, {window.stride}, {window.pad} and "
                f"{window.dilation}; with a bottom of dilations they are 3, 1, and two equal numbers (of several "
                "images, each wants a top of its own)"
            )
        if len({*window.pad}) > 1:
            raise self.error(f"pad is {window.pad}; with a bottom of dilations it is one number")
        self.most = window.pad[0]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[1].shape != bottom[0].shape:
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; dilations have that of bottom[0], {bottom[0].shape}"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not (bottom[1].data >= 0).all():
            raise self.error("bottom[1] has dilations below 0, or that are no number")
        super().forward(bottom, top)

    def read(self, bends: np.ndarray, image: np.ndarray, columns: np.ndarray) -> None:
        kernels.columns_of(image, bends, self.most, columns)

    def add_to_image(self, bends: np.ndarray, columns: np.ndarray, image_diff: np.ndarray) -> None:
        kernels.add_to_image(columns, bends, self.most, image_diff)

    def write_to_bends(
        self, bends: np.ndarray, columns: np.ndarray, image: np.ndarray, bends_diff: np.ndarray
    ) -> None:
        kernels.dilations_gradient(columns, image, bends, self.most, bends_diff)
