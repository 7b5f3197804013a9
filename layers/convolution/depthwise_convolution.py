"""DepthwiseConvolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels import depthwise as kernels
from caffe_compat.layers.registry import register


class _Depthwise(Im2colConvolution):
    """One filter a channel: without laying out windows, and without a matrix product of one row for each channel."""

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        outs[...] = 0 if bias is None else bias[:, None, None]
        for image, out in zip(images, outs, strict=True):
            kernels.add_filtered(image, filters[:, 0], self._geometry.array, out)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        for image, out_diff in zip(images, out_diffs, strict=True):
            kernels.add_filters_gradient(image, out_diff, self._geometry.array, filters_diff[:, 0])

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        for out_diff, image_diff in zip(out_diffs, image_diffs, strict=True):
            kernels.image_gradient(out_diff, filters[:, 0], self._geometry.array, image_diff)


@register("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    """A Convolution of two spatial axes in which every channel has one filter of its own.

    All is as in Convolution, with its convolution_param, for num_output = group = C, and the numbers are its; params:
    filters C x 1 x kernel_h x kernel_w; bias C, unless bias_term is false. A group that is not given is C. Raises
    LayerError where num_output or group is not the number of channels.

    Source: DepthwiseConvolutionLayer of yonghenglh6 for MobileNets; Howard and others, MobileNets (2017), section 3.1.
    """

    origin = "MobileNet"
    _algorithm_class = _Depthwise

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
