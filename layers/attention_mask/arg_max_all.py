"""ArgMaxAll."""

from __future__ import annotations

from caffe_compat.layers.attention_mask.arg_max_my import ArgMaxMy
from caffe_compat.layers.registry import register


@register("ArgMaxAll")
class ArgMaxAll(ArgMaxMy):
    """As ArgMaxMy, but at least 1000 places. Raises LayerError where there are not so many, too.

    Source: ArgMaxAllLayer of chwilms/AttentionMask (argmax_layer_all.cpp).
    """

    fewest = 1000
