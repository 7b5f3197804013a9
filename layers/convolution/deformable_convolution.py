"""DeformableConvolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.kernels import deformable_im2col as kernels
from caffe_compat.layers.registry import register
from caffe_compat.prototxt import caffe_pb2


@register("DeformableConvolution")
class DeformableConvolution(Layer):
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
    bottom_count = (2, 2)
    origin = "Deformable ConvNets"
    without_effect = ("deformable_convolution_param.force_nd_im2col",)
    refused = {"deformable_convolution_param.axis": "the channels are on axis 1; remove it"}
    param_axes = Convolution.param_axes

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.deformable_convolution_param
        common = {
            field.name: value
            for field, value in param.ListFields()
            if field.name not in ("deformable_group", "engine")
        }
        plain = caffe_pb2.ConvolutionParameter(**common)
        self.plain = Convolution(
            caffe_pb2.LayerParameter(name=self.name, type=self.type, convolution_param=plain),
            self.phase,
            self.dtype,
        )
        self.plain.blobs = self.blobs
        if len(bottom[0].shape) != 4:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected N x C x H x W")
        self.plain.setup(bottom[:1], top)
        self.groups = param.deformable_group
        channels = bottom[0].channels
        if self.groups < 1 or channels % self.groups:
            raise self.error(
                f"the {channels} channels of the bottom must be a multiple of deformable_group {self.groups}"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.plain.reshape(bottom[:1], top)
        geometry, (images, channels, *_) = self.plain.geometry, bottom[0].shape
        expected = images, self.groups * geometry.elements * 2, *top[0].shape[2:]
        if bottom[1].shape != expected:
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; the offsets of deformable_group {self.groups} and a "
                f"kernel of {geometry.kernel} are {expected}"
            )
        # one image at a time, to save memory
        places = top[0].shape[2] * top[0].shape[3]
        self.columns = np.empty((channels * geometry.elements, places), bottom[0].dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        filters = self._by_group(self.blobs[0].data)
        for image, offsets, out in zip(bottom[0].data, bottom[1].data, top[0].data, strict=True):
            columns = self._columns(image, offsets)
            out[...] = (filters @ columns).reshape(out.shape)
        if len(self.blobs) > 1:
            top[0].data[...] += self.blobs[1].data[:, None, None]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if len(self.blobs) > 1 and self.propagates_to(1):
            self.blobs[1].diff[...] += top[0].diff.sum(axis=(0, 2, 3))
        if propagate_down[0]:
            bottom[0].diff.fill(0)
        for n in range(bottom[0].num):
            out = self._by_group(top[0].diff[n])
            if self.propagates_to(0):
                columns = self._columns(bottom[0].data[n], bottom[1].data[n])
                self.blobs[0].diff[...] += (out @ columns.transpose(0, 2, 1)).reshape(self.blobs[0].shape)
            if any(propagate_down):
                self._down(out, n, propagate_down, bottom)

    def _down(self, out: np.ndarray, n: int, propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        filters = self._by_group(self.blobs[0].data)
        diffs = (filters.transpose(0, 2, 1) @ out).reshape(self.columns.shape)
        offsets, bent = bottom[1].data[n], (self.plain.geometry.array, self.groups)
        if propagate_down[0]:
            kernels.deformable_col2im(diffs, offsets, *bent, bottom[0].diff[n])
        if propagate_down[1]:
            kernels.deformable_offsets_gradient(diffs, bottom[0].data[n], offsets, *bent, bottom[1].diff[n])

    def _columns(self, image: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """The windows of one image, group x elements x places."""
        kernels.deformable_im2col(image, offsets, self.plain.geometry.array, self.groups, self.columns)
        return self.columns.reshape(self.plain.group, -1, self.columns.shape[1])

    def _by_group(self, array: np.ndarray) -> np.ndarray:
        """Filters or outputs, group x outputs x the rest."""
        return array.reshape(self.plain.group, array.shape[0] // self.plain.group, -1)
