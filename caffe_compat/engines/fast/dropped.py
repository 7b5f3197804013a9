"""InnerProducts beside a Dropout: what it has set to zero takes no part in their products."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.engines.fast.last_writer import last_writer
from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer
from caffe_compat.layers.dropout import Dropout
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.kernels.sparse_products import gemm_sparse
from caffe_compat.layers.relu import ReLU

MOST = 0.5  # that a Dropout may keep; the ReLU before it mostly leaves half of that


def leave_out_dropped(graph: Graph, layers: Sequence[Layer]) -> None:
    """Let InnerProducts leave out zeros: those of the bottom behind a Dropout, those of the top's diff before one."""
    for i, layer in enumerate(layers):
        if type(layer) is not InnerProduct:
            continue
        writer = last_writer(graph, layers, graph.nodes[i].bottoms[0], before=i)
        if writer is not None and _drops(layers[writer]):
            layer.multiply_bottom = gemm_sparse
        if _is_dropped(graph, layers, i):
            layer.multiply_diff = gemm_sparse


def _drops(layer: Layer) -> bool:
    """Whether it is a Dropout that sets enough to zero."""
    return type(layer) is Dropout and layer.draws and layer.keep_ratio <= MOST


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
