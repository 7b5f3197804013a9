"""Finds the layers of a net that can be steps of a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from caffe_compat.backward_plan import LayerPlan
from caffe_compat.engines.base import LayerGroup
from caffe_compat.engines.fast.steps.base import Step
from caffe_compat.engines.fast.steps.channels import Channels
from caffe_compat.engines.fast.steps.combining import Concatenation, Sum
from caffe_compat.engines.fast.steps.filtering import Filtering
from caffe_compat.engines.fast.steps.followers import continues, ends
from caffe_compat.engines.fast.steps.normalizing import Normalization, Probabilities
from caffe_compat.engines.fast.steps.pooling import Pools
from caffe_compat.engines.fast.steps.product import Product
from caffe_compat.engines.fast.steps.views import View
from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer
from caffe_compat.layers.concat import Concat
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.eltwise import Eltwise
from caffe_compat.layers.lrn import LRN
from caffe_compat.layers.softmax import Softmax


@dataclass
class StepGroup(LayerGroup):
    """The layers that one step computes."""

    step: Step | None = None


class StepFinder:
    """Looks for steps, from a layer on. No layer with a loss weight is in one."""

    def __init__(self, graph: Graph, layers: Sequence[Layer], plan: Sequence[LayerPlan]):
        self._nodes, self._layers, self._plan = graph.nodes, layers, plan

    def find(self, free: Sequence[bool]) -> Iterator[StepGroup]:
        """The groups of the layers that are free, in order."""
        first = 0
        while first < len(self._layers):
            group = self._group(first) if free[first] else None
            if group is not None and all(free[first : group.last + 1]):
                yield group
            first = group.last + 1 if group else first + 1

    def _group(self, first: int) -> StepGroup | None:
        layer, node = self._layers[first], self._nodes[first]
        if any(node.loss_weights) or layer.dtype != np.float32:
            return None
        if type(layer) is Convolution:
            return self._convolution(first)
        if Product.fits(layer):
            return self._with_followers(first, Product)
        if Sum.fits(layer):
            last = first + 1 if self._is_neuron(first + 1, node.tops) else first
            return StepGroup(first, last, first, step=Sum(self._layers[first : last + 1]))
        if len(node.bottoms) == 1 and continues(layer, self._plan[first].need_backward):
            last = first if ends(layer) else self._last_follower(first, node.tops)
            return StepGroup(first, last, first, step=Channels(self._layers[first : last + 1]))
        step = self._alone(layer, node.bottoms == node.tops)
        return StepGroup(first, first, first, step=step) if step else None

    @staticmethod
    def _alone(layer: Layer, in_place: bool) -> Step | None:
        if View.fits(layer, in_place):
            return View([layer])
        if Pools.fits(layer):
            return Pools([layer])
        if type(layer) is Concat:
            return Concatenation([layer])
        if type(layer) is LRN and layer.across:
            return Normalization([layer])
        return Probabilities([layer]) if type(layer) is Softmax else None

    def _convolution(self, first: int) -> StepGroup | None:
        layer, node = self._layers[first], self._nodes[first]
        assert isinstance(layer, Convolution)
        if len(node.tops) != 1 or layer.channel_axis != 1:
            return None
        last = self._last_follower(first, node.tops)
        if ends(self._layers[last]) or not self._adds(last + 1, node.tops):
            return StepGroup(first, last, first, step=Filtering(self._layers[first : last + 1]))
        at = last + 1
        other = 1 - self._nodes[at].bottoms.index(node.tops[0])
        last = at + 1 if self._is_neuron(at + 1, self._nodes[at].tops) else at
        step = Filtering(self._layers[first : last + 1], (at - first, other))
        return StepGroup(first, last, first, hidden=node.tops, hides_until=at - 1, step=step)

    def _with_followers(self, first: int, kind: type[Product]) -> StepGroup:
        last = self._last_follower(first, self._nodes[first].tops)
        return StepGroup(first, last, first, step=kind(self._layers[first : last + 1]))

    def _last_follower(self, first: int, blob: list[int]) -> int:
        """The last of the layers behind one that work on its top in place."""
        last = first
        while self._is_follower(last + 1, blob):
            last += 1
            if ends(self._layers[last]):
                break
        return last

    def _is_follower(self, i: int, blob: list[int]) -> bool:
        if i >= len(self._layers):
            return False
        node = self._nodes[i]
        return (
            node.bottoms == blob == node.tops
            and not any(node.loss_weights)
            and continues(self._layers[i], self._plan[i].need_backward)
        )

    def _is_neuron(self, i: int, blob: list[int]) -> bool:
        """Whether it is a follower that is the same for all channels."""
        return self._is_follower(i, blob) and ends(self._layers[i]) and not self._layers[i].blobs

    def _adds(self, i: int, blob: list[int]) -> bool:
        """Whether a layer adds one other blob to a blob."""
        if i >= len(self._layers) or not Sum.fits(self._layers[i]):
            return False
        layer, node = self._layers[i], self._nodes[i]
        assert isinstance(layer, Eltwise)
        return (
            len(node.bottoms) == 2
            and blob[0] in node.bottoms
            and node.bottoms[0] != node.bottoms[1]
            and all(coeff == 1 for coeff in layer.coeffs)
            and not any(node.loss_weights)
        )
