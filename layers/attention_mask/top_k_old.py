"""TopKOld."""

from __future__ import annotations

from caffe_compat.layers.attention_mask.top_k import TopK
from caffe_compat.layers.registry import register


@register("TopKOld")
class TopKOld(TopK):
    """As TopK, but top[0] has K rows without top[1], too.

    Source: TopKOldLayer of chwilms/AttentionMask, which writes nothing there.
    """

    pads = True
