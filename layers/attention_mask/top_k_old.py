"""TopKOld."""

from __future__ import annotations

from caffe_compat.layers.attention_mask.top_k import TopK
from caffe_compat.layers.registry import register


@register("TopKOld")
class TopKOld(TopK):
    """As TopK, but top[0] always has K rows, those behind the last are 0.

    Source: TopKOldLayer of chwilms/AttentionMask, which writes nothing there.
    """

    pads = True
