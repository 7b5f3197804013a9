"""L2Norm."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.registry import register
from caffe_compat.layers.retrieval.l2_normalize import L2Normalize


@register("L2Norm")
class L2Norm(L2Normalize):
    """Each image's numbers over the root of their sum of squares, plus l2norm_param.eps. bottom and top: N x ...

    Source: L2NormLayer of nbadalls' caffe-server, whose top always has four axes, and of ARL (ZhiwenShao), which has
    no l2norm_param, and 1e-9.
    """

    reads = ("l2norm_param",)
    origin = "nbadalls"

    def _scales(self, x: np.ndarray) -> np.ndarray:
        eps = x.dtype.type(self.layer_param.l2norm_param.eps)
        return 1 / (np.sqrt(np.einsum("nc,nc->n", x, x)) + eps)[:, None]
