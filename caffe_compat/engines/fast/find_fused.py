"""Finds the layers of a net that can run at once in a way of their own, from its list of layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from caffe_compat.backward_plan import LayerPlan
from caffe_compat.engines.base import LayerGroup
from caffe_compat.engines.fast.fused import Fused
from caffe_compat.engines.fast.last_writer import last_writer
from caffe_compat.engines.fast.reused_rows import ReusedRows
from caffe_compat.engines.fast.shared_bins import SharedBins
from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.layers.fast_rcnn.roi_pooling import ROIPooling
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.split import Split


@dataclass
class FusedGroup(LayerGroup):
    """A group of layers, and the Fused that computes them."""

    fused: Fused = field(default_factory=Fused)


def find_fused(graph: Graph, layers: Sequence[Layer], plan: Sequence[LayerPlan]) -> dict[int, FusedGroup]:
    """The groups of a net by their first layer. Layers in no group run one by one.

    No layer is in two groups: where two rules want it, the one that stands first here has it.
    """
    finder = _Finder(graph, layers, plan)
    shared = list(finder.shared_bins())
    result: dict[int, FusedGroup] = {}
    taken: set[int] = set()
    for group in (*shared, *finder.reused_rows(shared)):
        members = set(range(group.first, group.last + 1))
        if taken.isdisjoint(members):
            taken |= members
            result[group.first] = group
    return result


class _Finder:
    """Looks for groups of layers that have a faster way."""

    def __init__(self, graph: Graph, layers: Sequence[Layer], plan: Sequence[LayerPlan]):
        self.graph, self.layers, self.plan = graph, layers, plan
        self.uses = Counter(blob for node in graph.nodes for blob in node.bottoms) + Counter(graph.outputs)
        self.origin = list(range(len(graph.blob_names)))  # what a blob is a copy of
        for node, layer in zip(graph.nodes, layers, strict=True):
            if isinstance(layer, Split):
                for top in node.tops:
                    self.origin[top] = self.origin[node.bottoms[0]]

    def shared_bins(self) -> Iterator[FusedGroup]:
        """ROIPooling -> InnerProduct where no gradient flows."""
        for i in range(len(self.layers) - 1):
            pooling, product = self.layers[i : i + 2]
            if (
                type(pooling) is ROIPooling
                and type(product) is InnerProduct
                and self._follows(i)
                and not (self.plan[i].need_backward or self.plan[i + 1].need_backward)
                and SharedBins.fits(product)
            ):
                hidden = self.graph.nodes[i].tops
                yield FusedGroup(
                    i, i + 1, i + 1, hidden=hidden, hides_until=i, fused=SharedBins(pooling, product)
                )

    def _follows(self, i: int) -> bool:
        """Whether layer i + 1 is the only one that reads layer i's top."""
        (top,) = self.graph.nodes[i].tops
        return self.graph.nodes[i + 1].bottoms == [top] and self.uses[top] == 1

    def reused_rows(self, shared: Sequence[FusedGroup]) -> Iterator[FusedGroup]:
        """An InnerProduct of RoIs that were mined from a group's RoIs, on the same maps and with the same params."""
        for k, product in enumerate(self.layers):
            if type(product) is not InnerProduct:
                continue
            pool = last_writer(self.graph, self.layers, self.graph.nodes[k].bottoms[0], before=k)
            if pool is None or type(self.layers[pool]) is not ROIPooling:
                continue
            maps, rois = self.graph.nodes[pool].bottoms
            mining = last_writer(self.graph, self.layers, rois, before=pool)
            miner = None if mining is None else self.layers[mining]
            if mining is None or not isinstance(miner, HardRoIMining):
                continue
            for group in shared:
                if (
                    isinstance(group.fused, SharedBins)
                    and self._same(group, product, self.layers[pool], maps, mining)
                    and rois == self.graph.nodes[mining].tops[0]
                ):
                    yield FusedGroup(k, k, k, after=(group.first,), fused=ReusedRows(group.fused, miner))

    def _same(self, group: FusedGroup, product: Layer, pooling: Layer, maps: int, mining: int) -> bool:
        """Whether the rows of a product are those rows of a group's top that the mining layer chose."""
        first, last = self.layers[group.first], self.layers[group.last]
        group_maps, group_rois = self.graph.nodes[group.first].bottoms
        return (
            len(product.blobs) == len(last.blobs)
            and all(one.shares_data(other) for one, other in zip(product.blobs, last.blobs, strict=True))
            and product.layer_param.inner_product_param.axis == last.layer_param.inner_product_param.axis
            and pooling.layer_param.roi_pooling_param == first.layer_param.roi_pooling_param
            and self.origin[maps] == self.origin[group_maps]
            and self.origin[self.graph.nodes[mining].bottoms[2]] == self.origin[group_rois]
        )
