"""Finds the layers of a net that can be steps of a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from caffe_compat.backward_plan import LayerPlan
from caffe_compat.engines.base import LayerGroup
from caffe_compat.engines.fast.steps.as_it_is import AsItIs
from caffe_compat.engines.fast.steps.channels import Channels
from caffe_compat.engines.fast.steps.combining import Copies, ProductOrMaximum, Sum
from caffe_compat.engines.fast.steps.expanding import Expanding
from caffe_compat.engines.fast.steps.filtering import Filtering
from caffe_compat.engines.fast.steps.followers import continues, ends
from caffe_compat.engines.fast.steps.neuron import Neuron
from caffe_compat.engines.fast.steps.normalizing import Normalization, Probabilities
from caffe_compat.engines.fast.steps.pooling import Pools
from caffe_compat.engines.fast.steps.product import Product
from caffe_compat.engines.fast.steps.reordering import Reordering
from caffe_compat.engines.fast.steps.scaled import Scaled
from caffe_compat.engines.fast.steps.step import Step
from caffe_compat.engines.fast.steps.views import View
from caffe_compat.engines.fast.steps.volumes import Volumes
from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer
from caffe_compat.layers.eltwise import Eltwise

# the kinds of steps that compute one layer
ALONE: tuple[type[Step], ...] = (
    View,
    Pools,
    Volumes,
    Copies,
    ProductOrMaximum,
    Reordering,
    Normalization,
    Probabilities,
    Neuron,
    AsItIs,
)


@dataclass
class StepGroup(LayerGroup):
    """The layers that one step computes; each program that has them makes a step of its own, which its rows point
    to."""

    make_step: Callable[[], Step] = field(kw_only=True)


@dataclass
class _Chain:
    """Layers one behind the other: the last one, the blob that it makes, and those that nobody else reads."""

    last: int
    blob: list[int]
    hidden: list[int] = field(default_factory=list)
    hides_until: int = -1


class StepFinder:
    """Looks for steps, from a layer on. No layer with a loss weight is in one."""

    def __init__(self, graph: Graph, layers: Sequence[Layer], plan: Sequence[LayerPlan]):
        self._nodes, self._layers, self._plan = graph.nodes, layers, plan
        self._readers = Counter(
            blob for node in graph.nodes for blob in node.bottoms if node.tops != node.bottoms
        )
        self._readers.update(graph.outputs)

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
        if Filtering.fits(layer):
            return self._convolution(first)
        if Expanding.fits(layer):
            return self._step(first, self._followed(first), Expanding)
        if Product.fits(layer):
            alone = _Chain(first, node.tops)
            chain = self._followed(first) if Product.has_channels(layer) else self._with_neuron(alone)
            return self._step(first, chain, Product)
        if Sum.fits(layer):
            return self._step(first, self._with_neuron(_Chain(first, node.tops)), Sum)
        if len(node.bottoms) == 1 and continues(layer, self._plan[first].need_backward):
            chain = _Chain(first, node.tops) if ends(layer) else self._followed(first)
            return self._step(first, chain, Channels)
        if Scaled.fits(layer) and self._keeps_enough(first, Scaled):
            return self._step(first, self._with_neuron(_Chain(first, node.tops)), Scaled)
        fitting = (kind for kind in ALONE if kind.fits(layer) and self._keeps_enough(first, kind))
        kind = next(fitting, None)
        return self._step(first, _Chain(first, node.tops), kind) if kind else None

    def _keeps_enough(self, i: int, kind: type[Step]) -> bool:
        return not self._plan[i].need_backward or kind.keeps_enough(self._layers[i])

    def _step(self, first: int, chain: _Chain, kind: Callable[[Sequence[Layer]], Step]) -> StepGroup:
        make = partial(kind, self._layers[first : chain.last + 1])
        return StepGroup(
            first, chain.last, first, hidden=chain.hidden, hides_until=chain.hides_until, make_step=make
        )

    def _convolution(self, first: int) -> StepGroup:
        chain = self._followed(first)
        at = chain.last + 1
        if ends(self._layers[chain.last]) or not self._adds(at, chain.blob):
            return self._step(first, chain, Filtering)
        other = 1 - self._nodes[at].bottoms.index(chain.blob[0])
        chain = _Chain(at, self._nodes[at].tops, [*chain.hidden, *chain.blob], at - 1)
        return self._step(
            first, self._with_neuron(chain), lambda layers: Filtering(layers, (at - first, other))
        )

    def _followed(self, first: int) -> _Chain:
        """A layer with its followers. Those of one that works in place do so too: to make what others hide, it would
        have to find its bottom again."""
        node = self._nodes[first]
        chain = _Chain(first, node.tops)
        while self._is_follower(chain.last + 1, chain.blob):
            if node.tops == node.bottoms != self._nodes[chain.last + 1].tops:
                break
            chain = self._longer(chain)
            if ends(self._layers[chain.last]):
                break
        return chain

    def _with_neuron(self, chain: _Chain) -> _Chain:
        """With the follower behind it that is the same for all channels, if there is one."""
        i = chain.last + 1
        if self._is_follower(i, chain.blob) and ends(self._layers[i]) and not self._layers[i].blobs:
            return self._longer(chain)
        return chain

    def _longer(self, chain: _Chain) -> _Chain:
        """With the next layer, which hides the blob before it unless it works in place."""
        i = chain.last + 1
        tops = self._nodes[i].tops
        if tops == chain.blob:
            return _Chain(i, tops, chain.hidden, chain.hides_until)
        return _Chain(i, tops, [*chain.hidden, *chain.blob], i - 1)

    def _is_follower(self, i: int, blob: list[int]) -> bool:
        """Whether a layer continues a blob, in place, or as the only one that reads it (and needs it no more)."""
        if i >= len(self._layers):
            return False
        node, need_backward = self._nodes[i], self._plan[i].need_backward
        alone = node.tops == blob or (self._readers[blob[0]] == 1 and not need_backward)
        return (
            node.bottoms == blob
            and alone
            and not any(node.loss_weights)
            and continues(self._layers[i], need_backward)
        )

    def _adds(self, i: int, blob: list[int]) -> bool:
        """Whether a layer adds one other blob to a blob, which nobody else reads."""
        if i >= len(self._layers) or not Sum.fits(self._layers[i]):
            return False
        layer, node = self._layers[i], self._nodes[i]
        assert isinstance(layer, Eltwise)
        return (
            len(node.bottoms) == 2
            and blob[0] in node.bottoms
            and node.bottoms[0] != node.bottoms[1]
            and node.tops[0] not in node.bottoms
            and self._readers[blob[0]] == 1
            and all(coeff == 1 for coeff in layer.coeffs)
            and not any(node.loss_weights)
        )
