"""DeformableConvolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.convolution.bent_convolution import BentConvolution
from caffe_compat.layers.kernels import deformable_im2col as kernels
from caffe_compat.layers.registry import register
from caffe_compat.prototxt import caffe_pb2


@register("DeformableConvolution")
class DeformableConvolution(BentConvolution):
    """A convolution whose window is bent: each of its elements is moved (deformable_convolution_param).

    bottom[0]: N x C x H x W. bottom[1]: N x (deformable_group * kernel_h * kernel_w * 2) x H' x W' offsets in pixels,
    first down, then right, of every element of the kernel at every place of the top; the channels of a deformable group
    have theirs in common. Between pixels bottom[0] is read bilinearly, 0 outside of it. top[0]: N x num_output x H' x
    W'. params and fields are Convolution's.
    Raises LayerError for params and offsets that do not fit.

    Source: DeformableConvolutionLayer of unsky's Caffe, a port for the GPU, which wants offsets of bottom[0]'s size,
    and takes the gradient of the first image for those of all. Dai et al., Deformable Convolutional Networks (2017).
    """

    reads = ("deformable_convolution_param",)
    origin = "Deformable ConvNets"
    without_effect = ("deformable_convolution_param.force_nd_im2col",)
    refused = {"deformable_convolution_param.axis": "the channels are on axis 1; remove it"}

    def param(self) -> caffe_pb2.ConvolutionParameter:
        common = {
            field.name: value
            for field, value in self.layer_param.deformable_convolution_param.ListFields()
            if field.name not in ("deformable_group", "engine")
        }
        return caffe_pb2.ConvolutionParameter(**common)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.groups = self.layer_param.deformable_convolution_param.deformable_group
        channels = bottom[0].channels
        if self.groups < 1 or channels % self.groups:
            raise self.error(
                f"the {channels} channels of the bottom must be a multiple of deformable_group {self.groups}"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        geometry = self.plain.geometry
        expected = bottom[0].num, self.groups * geometry.elements * 2, *top[0].shape[2:]
        if bottom[1].shape != expected:
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; the offsets of deformable_group {self.groups} and a "
                f"kernel of {geometry.kernel} are {expected}"
            )
        self.window = geometry.array

    def read(self, bends: np.ndarray, image: np.ndarray, columns: np.ndarray) -> None:
        kernels.deformable_im2col(image, bends, self.window, self.groups, columns)

    def add_to_image(self, bends: np.ndarray, columns: np.ndarray, image_diff: np.ndarray) -> None:
        kernels.deformable_col2im(columns, bends, self.window, self.groups, image_diff)

    def write_to_bends(
        self, bends: np.ndarray, columns: np.ndarray, image: np.ndarray, bends_diff: np.ndarray
    ) -> None:
        kernels.deformable_offsets_gradient(columns, image, bends, self.window, self.groups, bends_diff)
