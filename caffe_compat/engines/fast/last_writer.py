"""Where what a blob holds comes from."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer
from caffe_compat.layers.split import Split


def last_writer(graph: Graph, layers: Sequence[Layer], blob: int, before: int) -> int | None:
    """The last layer below index `before` that has written a blob, or what that is a copy of; None for no layer."""
    for i in reversed(range(before)):
        if blob in graph.nodes[i].tops:
            if type(layers[i]) is not Split:
                return i
            blob = graph.nodes[i].bottoms[0]
    return None
