"""NormalizedInnerProduct: InnerProduct with rows of weights of length 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def to_unit_rows(weights: np.ndarray) -> None:
    """Divide each row, in place, by the root of the sum of its squares plus 1e-6."""
    weights *= 1 / np.sqrt(np.einsum("nk,nk->n", weights, weights) + weights.dtype.type(1e-6))[:, None]


def normalizes(layer_param: LayerParameter) -> bool:
    """Whether an InnerProduct layer is to normalize its weights."""
    return layer_param.inner_product_param.normalize


@register_form("NormalizedInnerProduct", of="InnerProduct", describes=normalizes)
class NormalizedInnerProduct(InnerProduct):
    """An InnerProduct with `normalize: true`: forward first gives each row of weights the length 1, in place.

    Blobs as InnerProduct's. The gradient of the weights is that of the plain product. With `transpose` the fork takes
    each K weights that follow each other as a row, and so does this.
    Source: InnerProductLayer of happynear's Caffe; Wang et al., NormFace (2017).
    """

    origin = "happynear"
    changes_params = True
    without_effect = ("inner_product_param.normalize",)  # it is so without

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        to_unit_rows(self.blobs[0].data.reshape(-1, self._inputs))
        super().forward(bottom, top)
