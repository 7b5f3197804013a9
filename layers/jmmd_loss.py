"""JMMDLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.pairs_of_domains import TERMS, drawn, gamma_of, gaussians
from caffe_compat.layers.registry import register


@register("JMMDLoss")
class JMMDLoss(LossLayer):
    """The joint maximum mean discrepancy of two domains' features and predictions: a gradient; its value is 0.

    bottom[0], bottom[1]: features of the source and of the target, Ns x ... and Nt x ..., of one size; bottom[2],
    bottom[3]: predictions of them, of one size; all take a gradient. top[0]: 0. The gradient is that of the mean, over
    max(Ns, Nt) draws of two source and two target examples, of k(s1, s2) + k(t1, t2) - k(s1, t2) - k(s2, t1), k being
    the product of the Gaussians of features, as MMDLoss has them (jmmd_param.kernel_num, kernel_mul, fix_gamma), and
    those of predictions: exp(-d^2 / s), label_kernel_num of them, s growing by label_kernel_mul around sigma, or with
    auto_sigma around the mean squared distance of as many random pairs as there are examples. The gradient at the
    predictions takes 1 / sigma for all of these, as there; none is taken where a domain has one example.
    Two draws of the global stream for each random pair. The fork computes it on the GPU alone, with the C library's
    random numbers. Raises LayerError for other shapes, for a sigma not above 0 and other numbers of kernels.
    Source: JMMDLossLayer of thuml's Xlearn; Long et al., Deep Transfer Learning with Joint Adaptation Networks (2017).
    """

    reads = ("jmmd_param",)
    origin = "thuml"
    bottom_count = (4, 4)
    no_gradient = ()

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.gamma: float | None = None
        self.param = param = self.layer_param.jmmd_param
        counts, growths = (
            (param.kernel_num, param.label_kernel_num),
            (param.kernel_mul, param.label_kernel_mul),
        )
        if not all(1 <= count <= 1000 for count in counts) or not min(growths) > 0:
            raise self.error(
                f"kernel_num and label_kernel_num are {counts}, kernel_mul and label_kernel_mul {growths}; expected 1 "
                "to 1000, and above 0"
            )
        if not param.auto_sigma and not param.sigma > 0:
            raise self.error(f"sigma is {param.sigma:g}; give one above 0, or auto_sigma: true")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob.shape for blob in bottom]
        if not all(blob.count for blob in bottom):
            raise self.error(f"the bottoms have the shapes {shapes}: there is nothing to take a loss of")
        sizes = [blob.count // blob.num for blob in bottom]
        if sizes[0] != sizes[1] or sizes[2] != sizes[3]:
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected examples of one size in both domains"
            )
        if [blob.num for blob in bottom[:2]] != [blob.num for blob in bottom[2:]]:
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected as many predictions as features"
            )
        top[0].reshape()

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        rows = [blob.data.reshape(blob.num, -1) for blob in bottom]
        if self.gamma is None or not self.param.fix_gamma:
            self.gamma = gamma_of(*rows[:2])
        self.slopes = [np.zeros_like(array) for array in rows]
        sigma = self._sigma(np.concatenate(rows[2:])) if self.param.auto_sigma else self.param.sigma
        counts = len(rows[0]), len(rows[1])
        top[0].data[...] = 0
        if min(counts) > 1 and sigma > 0:
            draws = drawn(max(counts), *counts)
            for sign, (a, m), (b, n) in TERMS:
                self._add(sign / len(draws), (a, draws[:, m]), (b, draws[:, n]), rows, sigma)

    def _add(self, weight: float, first: tuple, second: tuple, rows: list[np.ndarray], sigma: float) -> None:
        """Add the slopes of one term, `weight` times the kernel of two lists of (domain, examples)."""
        (a, i), (b, j) = first, second
        assert self.gamma is not None
        gaps = [rows[a + k][i] - rows[b + k][j] for k in (0, 2)]
        near, of_labels = (np.einsum("nk,nk->n", gap, gap) for gap in gaps)
        values, slopes = gaussians(near, self.gamma, self.param.kernel_num, self.param.kernel_mul)
        sizes = sigma * np.float64(self.param.label_kernel_mul) ** (
            np.arange(self.param.label_kernel_num) - self.param.label_kernel_num // 2
        )
        labels = np.exp(-of_labels / sizes[:, None]).sum(axis=0)
        for k, gap, slope in zip((0, 2), gaps, (slopes * labels, -2 / sigma * values * labels), strict=True):
            change = (weight * slope)[:, None] * gap
            np.add.at(self.slopes[a + k], i, change)
            np.subtract.at(self.slopes[b + k], j, change)

    @staticmethod
    def _sigma(predictions: np.ndarray) -> float:
        pairs = drawn(len(predictions), len(predictions))
        return float(np.square(predictions[pairs[:, 0]] - predictions[pairs[:, 1]]).sum() / len(pairs))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, slope, wanted in zip(bottom, self.slopes, propagate_down, strict=True):
            if wanted:
                np.multiply(slope, slope.dtype.type(loss_weight(top)), out=blob.diff.reshape(slope.shape))

    def get_state(self) -> dict[str, np.ndarray]:
        return {} if self.gamma is None else {"gamma": np.array(self.gamma)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.gamma = float(state["gamma"])
