"""Product, sum or maximum of several blobs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.kernels import eltwise as kernels
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter
from caffe_compat.rng import caffe_rng


@register("Eltwise")
class Eltwise(Layer):
    """PROD, SUM (with one coeff a bottom) or MAX of two or more bottoms of one shape, element by element.

    STOCHASTIC_SUM: in TRAIN each bottom is in the sum with the probability coeff, by one draw of the global stream
    each; in TEST it is SUM.
    With stable_prod_grad: false the gradient of PROD is divided out of the product (NaN where a factor is 0).
    Where bottoms are equal, MAX passes the gradient to the second of the first two, else to the earlier one.
    Raises LayerError for bottoms of different shapes, a wrong number of coeffs, or coeffs of PROD; MAX has no use for
    them.
    Source: Caffe's EltwiseLayer; STOCHASTIC_SUM: that of TSN's fork (yjxiong/caffe), whose backward stops on the CPU.
    """

    reads = ("eltwise_param",)
    refused = {"eltwise_param.coeff_blob": "it is for operation SUM; remove it"}
    bottom_count = (2, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.eltwise_param
        if len(param.coeff) not in (0, len(bottom)):
            raise self.error(
                f"{len(param.coeff)} coeffs for {len(bottom)} bottoms; give one a bottom, or none"
            )
        if param.coeff and param.operation == EltwiseParameter.PROD:
            raise self.error("coeff is given for operation PROD; only SUM takes coefficients")
        if param.coeff and param.operation == EltwiseParameter.MAX:
            warnings.warn(
                f"layer '{self.name}' (Eltwise): coeff is given for operation MAX; it has no effect, as in Caffe",
                stacklevel=2,
            )
        self.operation = param.operation
        self.backward_reads_top = param.operation == EltwiseParameter.PROD and not param.stable_prod_grad
        self.coeffs = [bottom[0].dtype.type(c) for c in param.coeff or [1] * len(bottom)]
        self.draws = self.operation == EltwiseParameter.STOCHASTIC_SUM and self.phase == TRAIN
        if self.operation == EltwiseParameter.STOCHASTIC_SUM:
            self.probabilities, self.operation = self.coeffs, EltwiseParameter.SUM
        self.winner = np.empty(0, np.int32)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for i, blob in enumerate(bottom):
            if blob.shape != bottom[0].shape:
                raise self.error(
                    f"bottom[{i}] has the shape {blob.shape}, bottom[0] {bottom[0].shape}; they must agree"
                )
        top[0].reshape(*bottom[0].shape)
        if self.operation == EltwiseParameter.MAX and self.winner.size != top[0].count:
            self.winner = np.empty(top[0].count, np.int32)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        if self.draws:
            drawn = np.empty(len(bottom), np.float32)
            caffe_rng().uniform(0, 1, drawn)
            self.coeffs = [y.dtype.type(u <= p) for u, p in zip(drawn, self.probabilities, strict=True)]
        if self.operation == EltwiseParameter.PROD:
            _product([blob.data for blob in bottom], y)
        elif self.operation == EltwiseParameter.SUM:
            kernels.write_scaled(bottom[0].data.reshape(-1), self.coeffs[0], y.reshape(-1))
            for blob, coeff in zip(bottom[1:], self.coeffs[1:], strict=True):
                kernels.add_scaled(blob.data.reshape(-1), coeff, y.reshape(-1))
        else:
            flat = [blob.data.reshape(-1) for blob in bottom]
            kernels.larger(flat[0], flat[1], y.reshape(-1), self.winner)
            for i in range(2, len(bottom)):
                kernels.raise_to(flat[i], i, y.reshape(-1), self.winner)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for i, blob in enumerate(bottom):
            if propagate_down[i]:
                self._backward_one(top[0], bottom, i, blob.diff)

    def _backward_one(self, top: Blob, bottom: Sequence[Blob], i: int, diff: np.ndarray) -> None:
        if self.operation == EltwiseParameter.SUM:
            kernels.write_scaled(top.diff.reshape(-1), self.coeffs[i], diff.reshape(-1))
        elif self.operation == EltwiseParameter.MAX:
            np.multiply(top.diff, (self.winner == i).reshape(diff.shape), out=diff)
        else:
            if self.layer_param.eltwise_param.stable_prod_grad:
                _product([blob.data for j, blob in enumerate(bottom) if j != i], diff)
            else:
                np.divide(top.data, bottom[i].data, out=diff)
            diff *= top.diff


def _product(factors: Sequence[np.ndarray], out: np.ndarray) -> None:
    np.copyto(out, factors[0])
    for factor in factors[1:]:
        out *= factor
