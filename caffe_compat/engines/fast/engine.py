"""The fast engine: layers run forward as programs, some in a way of their own, and convolutions take fewer products.

Backward runs layer by layer, but for a BatchNorm and its Scale. A blob that a group of layers leaves out is computed
when somebody asks for its data, and in each pass as long as somebody holds an array of it (see Blob.track).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engine import FAST
from caffe_compat.engines.base import LayerGroup
from caffe_compat.engines.fast.by_place import ByPlace
from caffe_compat.engines.fast.dropped import leave_out_dropped
from caffe_compat.engines.fast.filters_of_pixels import FiltersOfPixels
from caffe_compat.engines.fast.find_fused import FusedGroup, find_fused
from caffe_compat.engines.fast.find_steps import StepFinder, StepGroup
from caffe_compat.engines.fast.phased_winograd import PhasedWinograd
from caffe_compat.engines.fast.program import Part, Program
from caffe_compat.engines.fast.repetition import Repetition
from caffe_compat.engines.fast.scaled_batch_norm import find_scaled
from caffe_compat.engines.fast.winograd import Winograd
from caffe_compat.engines.fast.winograd_by_place import WinogradByPlace
from caffe_compat.engines.strict import StrictEngine
from caffe_compat.layers.base import TEST
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.deconvolution import Deconvolution, Transposed
from caffe_compat.layers.convolution.depthwise import Depthwise
from caffe_compat.memory import check_memory


class FastEngine(StrictEngine):
    """Runs the layers of each program and of each group at once, and the others as StrictEngine does.

    While somebody listens (see Net's callbacks), each group is a program of its own, and pairs run one by one.

    Attribute: scaled, the pairs of a BatchNorm and its Scale, by the place of the first.
    """

    name = FAST

    def find_groups(self) -> None:
        net = self.net
        for layer in net.layers:
            if type(layer) in (Convolution, Deconvolution):
                assert isinstance(layer, Convolution)
                _choose_algorithm(layer)
        leave_out_dropped(net.graph, net.layers)
        fused = find_fused(net.graph, net.layers, net.plan)
        free = [True] * len(net.layers)
        for group in fused.values():
            free[group.first : group.last + 1] = [False] * (group.last + 1 - group.first)
        self.scaled = dict(find_scaled(net.graph, net.layers, net.plan))
        for first in self.scaled:
            free[first : first + 2] = [False] * 2
        steps = list(StepFinder(net.graph, net.layers, net.plan).find(free))
        self._by_first: dict[int, LayerGroup] = {**fused, **{group.first: group for group in steps}}
        self.groups = [self._by_first[first] for first in sorted(self._by_first)]
        for one in self.groups:
            for blob in one.hidden:
                net.blob_list[blob].track(diff=False)
        self._programs = {
            groups[0].first: (groups[-1].last, groups) for groups in Repetition(net).runs(steps)
        }
        self._made: dict[tuple[int, int], Program] = {}

    def rows(self) -> int:
        """How many rows the programs have that have run: calls of compiled code in a pass."""
        return sum(program.rows for program in self._made.values())

    def forward(self, start: int, end: int) -> float:
        net, loss = self.net, 0.0
        done: set[int] = set()  # the first layers of groups that have run
        listened = net.callbacks["before_forward"] or net.callbacks["after_forward"]
        group: LayerGroup | None = None
        i = start
        while i <= end:
            last, groups = self._programs.get(i, (end + 1, []))
            if last <= end and not listened:
                self._run_program(groups)
                i = last + 1
                continue
            if i in self.scaled and i < end and not listened:
                self._run_scaled(i)
                i += 2
                continue
            net.notify("before_forward", i)
            found = self._by_first.get(i)
            if found is not None and found.last <= end and done.issuperset(found.after):
                group = found
            net.reshape_layer(i)
            if group is None:
                self.forward_layer(i)
            elif i == group.last:
                self._run(group)
                done.add(group.first)
                group = None
            else:
                self._defer(group.first, i)
            loss += net.loss_of(i)
            net.notify("after_forward", i)
            i += 1
        return loss

    def backward(self, start: int, end: int) -> None:
        callbacks = self.net.callbacks
        listened = callbacks["before_backward"] or callbacks["after_backward"]
        i = start
        while i >= end:
            pair = self.scaled.get(i - 1)
            if pair is not None and i > end and pair.has_run and not listened:
                self.net.call_layer(i - 1, pair.backward, self.net.bottoms[i - 1][0])
                i -= 2
                continue
            super().backward(i, i)
            i -= 1

    def _run_scaled(self, first: int) -> None:
        for i in (first, first + 1):
            self.net.reshape_layer(i)
        self.net.call_layer(first, self.scaled[first].forward, self.net.bottoms[first][0])

    def forward_layer(self, index: int) -> None:
        if index in self.scaled:
            self.scaled[index].settle()
        for top in self.net.tops[index]:
            if top.pending_data is not None and all(top is not bottom for bottom in self.net.bottoms[index]):
                top.defer_data(None)
        super().forward_layer(index)

    def _run(self, group: LayerGroup) -> None:
        """Run the layers of a group at once; a hidden blob is computed too if somebody holds an array of one."""
        net, layers = self.net, slice(group.first, group.last + 1)
        for blob in chain.from_iterable(net.tops[layers]):
            blob.defer_data(None)
        if isinstance(group, StepGroup):
            self._run_program([group])
            return
        assert isinstance(group, FusedGroup)
        held = any(net.blob_list[i].data_is_held for i in group.hidden)
        net.call_layer(group.main, group.fused.forward, net.bottoms[layers], net.tops[layers])
        self._hide(group, held)

    def _hide(self, group: LayerGroup, held: bool) -> None:
        """Defer what a group that has run did not write; or make it now, where somebody held it."""
        if group.hidden:
            make = self._defer(group.first, group.hides_until)
            if held:
                make()

    def _run_program(self, groups: Sequence[StepGroup]) -> None:
        key = groups[0].first, groups[-1].last
        if key not in self._made:
            passing = self._passing(*key) if Repetition(self.net).is_exact(range(key[0], key[1] + 1)) else []
            self._made[key] = Program([self._part(group) for group in groups], passing)
        self._made[key].run()

    def _passing(self, first: int, last: int) -> list[Blob]:
        """The blobs that only the layers first to last write and read, unless a backward needs them too."""
        net, inside = self.net, range(first, last + 1)
        if any(plan.need_backward for plan in net.plan):
            return []
        outside = {
            i
            for k, node in enumerate(net.graph.nodes)
            if k not in inside
            for i in (*node.bottoms, *node.tops)
        }
        mine = {i for k in inside for i in net.graph.nodes[k].tops}
        return [net.blob_list[i] for i in sorted(mine - outside - {*net.graph.outputs, *net.graph.inputs})]

    def _part(self, group: StepGroup) -> Part:
        net, layers = self.net, range(group.first, group.last + 1)

        def run(function: Callable[[int], None]) -> None:
            for i in layers:
                function(i)

        blobs = [net.bottoms[i] for i in layers], [net.tops[i] for i in layers]
        hidden = [net.blob_list[i] for i in group.hidden]
        functions = partial(run, self._reshape), partial(run, self.forward_layer)
        return Part(group.make_step(), *blobs, *functions, hidden, partial(self._hide, group))

    def _reshape(self, index: int) -> None:
        """Let a layer shape its tops, which must have room: their memory is taken for many layers at once."""
        self.net.reshape_layer(index)
        self.net.call_layer(index, _check_sizes, self.net.tops[index])

    def _defer(self, first: int, last: int) -> Callable[..., None]:
        """Defer the tops of the layers first to last: they run when somebody asks for one of these blobs.

        Returns the function that runs them.
        """
        tops = list(chain.from_iterable(self.net.tops[first : last + 1]))
        own = {id(top) for top in tops}
        read = [
            blob for blob in chain.from_iterable(self.net.bottoms[first : last + 1]) if id(blob) not in own
        ]

        def make(array: np.ndarray | None = None) -> None:
            for blob in read:
                _ = blob.data  # to make one that is pending defers the tops again
            for blob in tops:
                blob.defer_data(None)
            for i in range(first, last + 1):
                StrictEngine.forward_layer(self, i)

        for blob in tops:
            blob.defer_data(make, wait=True)
        return make


def _check_sizes(tops: Sequence[Blob]) -> None:
    for top in tops:
        check_memory(top.count * top.dtype.itemsize, f"a blob of shape {top.shape}")


def _choose_algorithm(layer: Convolution) -> None:
    """Let a convolution take its products in the fastest way that fits it."""
    filters = layer.blobs[0].shape
    if isinstance(layer, Deconvolution):
        if Depthwise.fits(layer.geometry, layer.group, filters, layer.dtype):
            layer.algorithm = Transposed(layer.geometry, layer.group, Depthwise)
        return
    # those by place pack filters anew each time, which pays in training; steps by tiles have them packed
    of_training = () if layer.phase == TEST else (FiltersOfPixels, WinogradByPlace, ByPlace)
    for kind in (Depthwise, Winograd, PhasedWinograd, *of_training):
        if kind.fits(layer.geometry, layer.group, filters, layer.dtype):
            layer.algorithm = kind(layer.geometry, layer.group)
            return
