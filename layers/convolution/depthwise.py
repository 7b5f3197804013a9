"""The three products of filters and images where each channel has one filter of its own."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels import depthwise as kernels


class Depthwise(Im2colConvolution):
    """Computes what Im2colConvolution does, for C x 1 x kernel_h x kernel_w filters in C groups.

    No windows are laid out, and no matrix product of one row is taken for each channel.
    """

    @staticmethod
    def fits(geometry: ConvGeometry, group: int, filters: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether it can take the place of an Im2colConvolution with filters of this shape."""
        return len(geometry.kernel) == 2 and filters[:2] == (group, 1)

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        if bias is None:
            bias = np.zeros(len(filters), outs.dtype)
        kernels.filter_planes(images, filters[:, 0], bias, self._geometry.array, outs)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        kernels.add_filters_gradient(images, out_diffs, self._geometry.array, filters_diff[:, 0])

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        kernels.image_gradient(out_diffs, filters[:, 0], self._geometry.array, image_diffs)
