"""A sum of blobs whose coefficients are a blob, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import EltwiseParameter, LayerParameter


def has_coeff_blob(layer_param: LayerParameter) -> bool:
    param = layer_param.eltwise_param
    return param.coeff_blob and param.operation == EltwiseParameter.SUM


@register_form("CoeffBlobEltwise", of="Eltwise", describes=has_coeff_blob)
class CoeffBlobEltwise(Layer):
    """The sum of all bottoms but the last, each times its coeff (1 where none is given) and its row of the last bottom.

    A layer of type Eltwise with coeff_blob and operation SUM is this one. bottom[0] to bottom[K-1]: one shape;
    bottom[K]: K x the first dims of that shape, as many as it likes: a coefficient for each bottom and item of those
    dims (of 2 x N, one for each of N images). It takes no gradient. Raises LayerError for other shapes and numbers of
    coeff.

    Source: EltwiseLayer of the Caffe of LRCN and S2VT, jeffdonahue's branches "recurrent".
    """

    reads = ("eltwise_param",)
    without_effect = ("eltwise_param.coeff_blob", "eltwise_param.operation", "eltwise_param.stable_prod_grad")
    bottom_count = (2, None)
    origin = "LRCN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, count = self.layer_param.eltwise_param, len(bottom) - 1
        if len(param.coeff) not in (0, count):
            raise self.error(
                f"{len(param.coeff)} coeffs for {count} bottoms and their coefficients; give {count}"
            )
        self.coeffs = [self.dtype(coeff) for coeff in param.coeff or [1] * count]
        self.no_gradient = (count,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        *terms, coeffs = bottom
        shape = terms[0].shape
        if any(blob.shape != shape for blob in terms):
            raise self.error(f"the bottoms have the shapes {', '.join(str(blob.shape) for blob in terms)}")
        if coeffs.shape[:1] != (len(terms),) or coeffs.shape[1:] != shape[: len(coeffs.shape) - 1]:
            raise self.error(
                f"the coefficients have the shape {coeffs.shape}; expected {len(terms)} x the first dims of {shape}"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = 0
        for i, blob in enumerate(bottom[:-1]):
            top[0].data[...] += self._weights(bottom, i) * blob.data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for i, blob in enumerate(bottom[:-1]):
            if propagate_down[i]:
                np.multiply(top[0].diff, self._weights(bottom, i), out=blob.diff)

    def _weights(self, bottom: Sequence[Blob], i: int) -> np.ndarray:
        """The coefficients of bottom i, with an axis of 1 for each axis that they do not have."""
        row = bottom[-1].data[i] * self.coeffs[i]
        return row.reshape(row.shape + (1,) * (len(bottom[0].shape) - row.ndim))
