"""MMDLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.pairs_of_domains import TERMS, drawn, gamma_of, gaussians
from caffe_compat.layers.registry import register


@register("MMDLoss")
class MMDLoss(LossLayer):
    """The maximum mean discrepancy of two domains' features, from random pairs of each.

    bottom[0], bottom[1]: features of the source and of the target, Ns x ... and Nt x ..., of one size; both take a
    gradient. top[0]: the sum, over max(Ns, Nt) draws of two source and two target examples, of k(s1, s2) + k(t1, t2) -
    k(s1, t2) - k(s2, t1). k is the sum of kernel_num Gaussians exp(-g d^2), g growing by kernel_mul around 1 over the
    mean squared distance of all pairs (of the first batch, with fix_gamma). The gradient is that of the sum over the
    number of draws, g taken as a number, and 0 where a domain has one example. Four draws of the global stream each.
    The fork computes it on the GPU alone, with the C library's random numbers, and draws anew for the gradient.
    Raises LayerError for features of other sizes, for kernel_num not from 1 to 1000 or kernel_mul not above 0.
    Source: MMDLossLayer of thuml's Caffe; Long et al., Deep Adaptation Networks (2015).
    """

    reads = ("mmd_param",)
    origin = "thuml"
    no_gradient = ()

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.gamma: float | None = None
        param = self.layer_param.mmd_param
        if not 1 <= param.kernel_num <= 1000 or not param.kernel_mul > 0:
            raise self.error(
                f"kernel_num is {param.kernel_num}, kernel_mul {param.kernel_mul:g}; expected 1 to 1000, and above 0"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if not all(blob.count for blob in bottom):
            raise self.error(f"the bottoms have the shapes {shapes}: there is nothing to take a loss of")
        if len({blob.count // blob.num for blob in bottom}) > 1:
            raise self.error(f"the bottoms have the shapes {shapes}; expected examples of one size in both")
        top[0].reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        source, target = (blob.data.reshape(blob.num, -1) for blob in bottom)
        self._set_gamma(source, target)
        count = max(len(source), len(target))
        draws = drawn(count, len(source), len(target))
        self.slopes = np.zeros_like(source), np.zeros_like(target)
        loss = 0.0
        domains = source, target
        for sign, (a, m), (b, n) in TERMS:
            i, j = draws[:, m], draws[:, n]
            difference = domains[a][i] - domains[b][j]
            value, slope = self._kernel(np.einsum("nk,nk->n", difference, difference))
            loss += sign * value.sum()
            change = (sign / count * slope)[:, None] * difference
            np.add.at(self.slopes[a], i, change)
            np.subtract.at(self.slopes[b], j, change)
        if min(len(source), len(target)) == 1:
            self.slopes = np.zeros_like(source), np.zeros_like(target)
        top[0].data[...] = loss

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, slope, wanted in zip(bottom, self.slopes, propagate_down, strict=True):
            if wanted:
                np.multiply(slope, slope.dtype.type(loss_weight(top)), out=blob.diff.reshape(slope.shape))

    def _set_gamma(self, source: np.ndarray, target: np.ndarray) -> None:
        if self.gamma is None or not self.layer_param.mmd_param.fix_gamma:
            self.gamma = gamma_of(source, target)

    def _kernel(self, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The kernel of squared distances, and its slope by the difference, over the difference."""
        param = self.layer_param.mmd_param
        assert self.gamma is not None
        return gaussians(square, self.gamma, param.kernel_num, param.kernel_mul)

    def get_state(self) -> dict[str, np.ndarray]:
        return {} if self.gamma is None else {"gamma": np.array(self.gamma)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.gamma = float(state["gamma"])
