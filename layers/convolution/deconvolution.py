"""Deconvolution: convolution with its forward and backward passes swapped."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.registry import register


class Transposed(Im2colConvolution):
    """The products of a convolution, `products`, the other way round: every pixel of the small images (the bottom) adds
    its filters to the large ones (the top)."""

    def __init__(
        self, geometry: ConvGeometry, group: int, products: type[Im2colConvolution] = Im2colConvolution
    ):
        super().__init__(geometry, group)
        self.products = products(geometry, group)

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        self.products.image_gradient(images, filters, outs)
        if bias is not None:
            outs += bias.reshape(-1, *[1] * (outs.ndim - 2))

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        self.products.add_filters_gradient(out_diffs, images, filters_diff)

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        self.products.forward(out_diffs, filters, None, image_diffs)


@register("Deconvolution")
class Deconvolution(Convolution):
    """The gradient that a convolution gives its image, plus a bias: for upsampling.

    bottom: N x C x H x W, or any other number of spatial axes; top: N x num_output x H' x W' with
    H' = stride (H - 1) + extent - 2 pad, extent = dilation (kernel - 1) + 1, and W' likewise. params: filters
    C x num_output / group x kernel_h x kernel_w; bias num_output, unless bias_term is false. Any number of bottoms
    of one shape, one top each. Raises LayerError for params that do not fit the bottoms.

    Source: Caffe's DeconvolutionLayer.
    """

    param_axes: tuple[tuple[str, ...], ...] = (("input", "output", "row", "column"), ("output",))
    _algorithm_class = Transposed

    def _filters_shape(self, group: int) -> tuple[int, ...]:
        return self._channels, self._num_output // group, *self.geometry.kernel

    def _spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.geometry.input_shape(shape)
