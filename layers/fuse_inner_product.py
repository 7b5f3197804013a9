"""FuseInnerProduct."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.registry import register


@register("FuseInnerProduct")
class FuseInnerProduct(InnerProduct):
    """An InnerProduct with its top twice; backward adds up the gradients of both.

    Source: FuseInnerProductLayer of CCL (PKU-ICST-MIPL), which does not read transpose; Peng et al., CCL (2018).
    """

    origin = "PKU-ICST-MIPL"
    top_count = (2, 2)
    refused = {
        f"inner_product_param.{name}": "it is not read; InnerProduct and Split have it"
        for name in ("transpose", "normalize")
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.one = Blob((), bottom[0].dtype)  # its diff is that of both tops

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in (*top, self.one):
            super().reshape(bottom, [blob])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        np.copyto(top[1].data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        np.add(top[0].diff, top[1].diff, out=self.one.diff)
        super().backward([self.one], propagate_down, bottom)
