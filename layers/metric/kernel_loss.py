"""KernelLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import loss_weight
from caffe_compat.layers.registry import register


@register("KernelLoss")
class KernelLoss(Layer):
    """Draws features of different classes together and those of one class apart, by a Gaussian of their distance.

    bottoms: N x C features a and b (axes behind are 1), and N labels of each, cut off to whole numbers. top: the mean
    over N of 1 - exp(-|a - b|^2 / (2 sigma_sq)), less than nothing where the labels are equal. As there, the features
    get a gradient for a batch of one pair only, and 0 otherwise: it divides 1 by N as whole numbers. Raises LayerError
    for other shapes and a sigma_sq that is not above 0.
    Source: KernelLossLayer of AdvKin (Nicole1990).
    """

    reads = ("kernel_loss_param",)
    origin = "AdvKin"
    bottom_count = (4, 4)
    no_gradient = (2, 3)
    is_loss = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.sigma_sq = self.layer_param.kernel_loss_param.sigma_sq
        if not self.sigma_sq > 0:
            raise self.error(f"sigma_sq is {self.sigma_sq:g}; it must be greater than 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, b, *labels = (blob.shape for blob in bottom)
        n = bottom[0].num
        if (
            len(a) < 2
            or a != b
            or a[0] * a[1] != bottom[0].count
            or {bottom[2].count, bottom[3].count} != {n}
        ):
            raise self.error(
                f"the bottoms have the shapes {a}, {b} and {labels}; expected N x C twice, N labels twice"
            )
        if not n:
            raise self.error("there is nothing to take a loss of: no pairs")
        top[0].reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        apart = bottom[0].data - bottom[1].data
        squares = np.square(apart).reshape(len(apart), -1).sum(axis=1)
        near = np.exp(squares / (-2 * self.sigma_sq))
        first, second = (np.trunc(blob.data.ravel()) for blob in bottom[2:])
        signs = np.where(first == second, -1, 1)
        top[0].data[...] = (signs * (1 - near)).mean(dtype=np.float64)
        whole = 1 // len(apart)
        self.slopes = apart * (signs * near * (whole / self.sigma_sq)).reshape(-1, *[1] * (apart.ndim - 1))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for i, sign in enumerate((1, -1)):
            if propagate_down[i]:
                bottom[i].diff[...] = self.slopes * (sign * loss_weight(top))
