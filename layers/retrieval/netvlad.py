"""Netvlad."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register


@register("Netvlad")
class Netvlad(Layer):
    """For each cluster, the sum over pixels of their share in it times (features + its param).

    bottom[0]: N x K x H x W shares, bottom[1]: N x D x H x W features; top: N x K D. param: K x D (minus the centres).
    Of netvlad_param, cluster_num is K, local_dim D and vlad_dim K D. Raises LayerError for other shapes and sizes.
    Source: NetvladLayer of hyojinie/crn (its gradient of the param starts at 0 in each pass; here it adds);
    Arandjelovic et al., NetVLAD (2016).
    """

    reads = ("netvlad_param",)
    origin = "hyojinie"
    bottom_count = (2, 2)
    param_axes = (("cluster", "feature"),)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.netvlad_param
        self.sizes = param.cluster_num, param.local_dim
        if min(self.sizes) < 1 or param.vlad_dim != param.cluster_num * param.local_dim:
            raise self.error(
                f"cluster_num is {param.cluster_num}, local_dim {param.local_dim}, vlad_dim {param.vlad_dim}; expected "
                "numbers above 0, and the product of the first two"
            )
        set_up_params(self, (self.sizes, param.weight_filler))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shares, features = (blob.shape for blob in bottom)
        wanted = [(*shares[:1], size, *shares[2:]) for size in self.sizes]
        if len(shares) != 4 or [shares, features] != wanted:
            raise self.error(
                f"the bottoms have the shapes {shares} and {features}; expected N x {self.sizes[0]} x H x W and "
                f"N x {self.sizes[1]} x H x W"
            )
        self.pixels = math.prod(shares[2:])
        top[0].reshape(shares[0], self.sizes[0] * self.sizes[1])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shares, x = self._views(bottom[0].data, bottom[1].data)
        sums = np.matmul(shares, x.swapaxes(1, 2)) + shares.sum(axis=2)[:, :, None] * self.blobs[0].data
        top[0].data[...] = sums.reshape(top[0].shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        shares, x = self._views(bottom[0].data, bottom[1].data)
        diff = top[0].diff.reshape(-1, *self.sizes)
        share_diff, x_diff = (
            self._views(bottom[0].diff, bottom[1].diff) if any(propagate_down) else (None, None)
        )
        if self.propagates_to(0):
            self.blobs[0].diff[...] += np.einsum("nk,nkd->kd", shares.sum(axis=2), diff)
        if propagate_down[0]:
            of_param = np.einsum("nkd,kd->nk", diff, self.blobs[0].data)
            np.add(np.matmul(diff, x), of_param[:, :, None], out=share_diff)
        if propagate_down[1]:
            np.matmul(diff.swapaxes(1, 2), shares, out=x_diff)

    def _views(self, shares: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clusters, size = self.sizes
        images = len(shares)
        return shares.reshape(images, clusters, self.pixels), features.reshape(images, size, self.pixels)
