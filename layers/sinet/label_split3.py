"""LabelSplit3."""

from __future__ import annotations

from caffe_compat.layers.registry import register
from caffe_compat.layers.sinet.label_split import KINDS, LabelSplit


@register("LabelSplit3")
class LabelSplit3(LabelSplit):
    """LabelSplit for three branches.

    Source: LabelSplit3Layer of xw-hu/SINet, which leaves what stood there in the row of a branch without RoIs.
    """

    top_count = (3 * KINDS, 3 * KINDS)
