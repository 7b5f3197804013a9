"""FcRistretto."""

from __future__ import annotations

from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.registry import register
from caffe_compat.layers.ristretto.trimmed import Trimmed


@register("FcRistretto")
class FcRistretto(Trimmed, InnerProduct):
    """An InnerProduct whose params, bottom and top are trimmed as a ConvolutionRistretto's.

    Source: FcRistrettoLayer of Ristretto (pmgysel/caffe), its GPU kernels.
    """

    reads = ("inner_product_param", "quantization_param")
    refused = {"inner_product_param.normalize": "it is InnerProduct's alone: remove it"}
