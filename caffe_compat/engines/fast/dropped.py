"""InnerProducts beside a Dropout: what it has set to zero takes no part in their products."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer
from caffe_compat.layers.dropout import Dropout
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.kernels.sparse_products import gemm_sparse
from caffe_compat.layers.relu import ReLU
from caffe_compat.layers.split import Split

MOST = 0.5  # that a Dropout may keep; the ReLU before it mostly leaves half of that


def leave_out_dropped(graph: Graph, layers: Sequence[Layer]) -> None:
    """Let InnerProducts leave out zeros: those of the bottom behind a Dropout, those of the top's diff before one."""
    for i, layer in enumerate(layers):
        if type(layer) is not InnerProduct:
            continue
        if _drops(_last_writer(graph, layers, i)):
            layer.multiply_bottom = gemm_sparse
        if _is_dropped(graph, layers, i):
            layer.multiply_diff = gemm_sparse


def _drops(layer: Layer | None) -> bool:
    """Whether it is a Dropout that sets enough to zero."""
    return type(layer) is Dropout and layer.draws and layer.keep_ratio <= MOST


def _last_writer(graph: Graph, layers: Sequence[Layer], reader: int) -> Layer | None:
    """The layer that has written what the first bottom of a layer holds, or what that is a copy of."""
    blob = graph.nodes[reader].bottoms[0]
    for i in reversed(range(reader)):
        if blob in graph.nodes[i].tops:
            if type(layers[i]) is not Split:
                return layers[i]
            blob = graph.nodes[i].bottoms[0]
    return None


def _is_dropped(graph: Graph, layers: Sequence[Layer], writer: int) -> bool:
    """Whether all that reads a layer's top goes through a Dropout, behind nothing but ReLUs."""
    tops = graph.nodes[writer].tops
    for i in range(writer + 1, len(layers)):
        if graph.nodes[i].bottoms != tops:
            continue
        if type(layers[i]) is not ReLU:
            return _drops(layers[i])  # a blob that several layers read has a Split behind it
        tops = graph.nodes[i].tops
    return False
