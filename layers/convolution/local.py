"""Local: a convolution with filters of its own at each place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import ShapeAndFiller, set_up_params
from caffe_compat.layers.kernels.im2col import col2im, im2col
from caffe_compat.layers.registry import register


@register("Local")
class Local(Layer):
    """Each output pixel has filters of its own, and a bias.

    bottom: N x C x H x W; top: N x num_output x H' x W', as a convolution's with local_param's kernel_size, stride and
    pad. params: the filters, num_output x 1 x K x P, K = C kernel_size^2 and P = H' W'; the biases, 1 x 1 x num_output
    x P, unless bias_term is false. H and W may not change. Raises LayerError for params or shapes that do not fit.
    Source: LocalLayer of happynear's Caffe; its gradients of params overwrite, those of this are added.
    """

    reads = ("local_param",)
    origin = "happynear"
    param_axes = (("output", "", "input", "place"), ("", "", "output", "place"))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.local_param, bottom[0].shape
        if param.num_output < 1 or param.kernel_size < 1 or param.stride < 1:
            raise self.error("num_output, kernel_size and stride of local_param must be at least 1")
        if len(shape) != 4 or min(shape[2:]) + 2 * param.pad < param.kernel_size:
            raise self.error(
                f"the bottom has the shape {shape}; expected N x C x H x W, no smaller than kernel_size"
            )
        self.image = shape[1:]
        self.out = tuple((n + 2 * param.pad - param.kernel_size) // param.stride + 1 for n in shape[2:])
        self.window = np.array([[param.kernel_size] * 2, [param.stride] * 2, [param.pad] * 2, [1, 1]])
        self.size = shape[1] * param.kernel_size**2, self.out[0] * self.out[1]
        params: list[ShapeAndFiller] = [((param.num_output, 1, *self.size), param.weight_filler)]
        if param.bias_term:
            params.append(((1, 1, param.num_output, self.size[1]), param.bias_filler))
        set_up_params(self, *params)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].shape[1:] != self.image:
            raise self.error(
                f"the bottom has the shape {bottom[0].shape}; the params are for N x {self.image}"
            )
        top[0].reshape(bottom[0].shape[0], self.layer_param.local_param.num_output, *self.out)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        filters, *bias = (blob.data.reshape(-1, *blob.shape[2:]) for blob in self.blobs)
        for x, y in zip(bottom[0].data, top[0].data, strict=True):
            y = y.reshape(-1, self.size[1])
            np.einsum("kp,okp->op", self._columns(x), filters, out=y)
            if bias:
                y += bias[0][0]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        filters = self.blobs[0].data.reshape(-1, *self.size)
        seeds = top[0].diff.reshape(*top[0].shape[:2], self.size[1])
        if len(self.blobs) > 1 and self.propagates_to(1):
            self.blobs[1].diff[0, 0] += seeds.sum(axis=0)
        for i, seed in enumerate(seeds):
            if self.propagates_to(0):
                self.blobs[0].diff[:, 0] += seed[:, None] * self._columns(bottom[0].data[i])
            if propagate_down[0]:
                bottom[0].diff[i] = 0
                columns = np.einsum("op,okp->kp", seed, filters)
                col2im(columns, self.window, 0, self.out[1], bottom[0].diff[i])

    def _columns(self, image: np.ndarray) -> np.ndarray:
        columns = np.empty(self.size, image.dtype)
        im2col(image, self.window, 0, self.out[1], columns)
        return columns
