"""LabelSplit2."""

from __future__ import annotations

from caffe_compat.layers.registry import register
from caffe_compat.layers.sinet.label_split import KINDS, LabelSplit


@register("LabelSplit2")
class LabelSplit2(LabelSplit):
    """LabelSplit for two branches.

    Source: LabelSplit2Layer of xw-hu/SINet, which leaves what stood there in the row of a branch without RoIs.
    """

    top_count = (2 * KINDS, 2 * KINDS)
