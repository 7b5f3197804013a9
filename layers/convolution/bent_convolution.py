"""What the convolutions share whose windows bottom[1] bends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.prototxt import caffe_pb2


class BentConvolution(Layer):
    """top[0] = filters * columns + bias, the columns being the windows of bottom[0] as bottom[1] bends them.

    bottom[0]: N x C x H x W; bottom[1]: N x anything; top[0]: N x num_output x H' x W'. Columns are of one image,
    (C * the kernel's elements) x (H' * W').
    """

    bottom_count = (2, 2)
    param_axes = Convolution.param_axes

    def param(self) -> caffe_pb2.ConvolutionParameter:
        """The convolution that this is where nothing is bent."""
        raise NotImplementedError

    def read(self, bends: np.ndarray, image: np.ndarray, columns: np.ndarray) -> None:
        """Write the columns of an image; bends: its part of bottom[1]."""

    def add_to_image(self, bends: np.ndarray, columns: np.ndarray, image_diff: np.ndarray) -> None:
        """Add the gradient at the columns to that at the image."""

    def write_to_bends(
        self, bends: np.ndarray, columns: np.ndarray, image: np.ndarray, bends_diff: np.ndarray
    ) -> None:
        """Write the gradient at the bends, for that at the columns."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.plain = Convolution(
            caffe_pb2.LayerParameter(name=self.name, type=self.type, convolution_param=self.param()),
            self.phase,
            self.dtype,
        )
        self.plain.blobs = self.blobs
        if len(bottom[0].shape) != 4:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected N x C x H x W")
        self.plain.setup(bottom[:1], top)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.plain.reshape(bottom[:1], top)
        # one image at a time, to save memory
        places = top[0].shape[2] * top[0].shape[3]
        rows = bottom[0].shape[1] * self.plain.geometry.elements
        self.columns = np.empty((rows, places), bottom[0].dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        filters = self._by_group(self.blobs[0].data)
        for image, bends, out in zip(bottom[0].data, bottom[1].data, top[0].data, strict=True):
            columns = self._columns(image, bends)
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
        bends = bottom[1].data[n]
        if propagate_down[0]:
            self.add_to_image(bends, diffs, bottom[0].diff[n])
        if propagate_down[1]:
            self.write_to_bends(bends, diffs, bottom[0].data[n], bottom[1].diff[n])

    def _columns(self, image: np.ndarray, bends: np.ndarray) -> np.ndarray:
        """The windows of one image, group x elements x places."""
        self.read(bends, image, self.columns)
        group = self.plain.group
        return self.columns.reshape(group, len(self.columns) // group, self.columns.shape[1])

    def _by_group(self, array: np.ndarray) -> np.ndarray:
        """Filters or outputs, group x outputs x the rest."""
        return array.reshape(self.plain.group, len(array) // self.plain.group, math.prod(array.shape[1:]))
