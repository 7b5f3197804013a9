"""The fast engine: some layers run forward at once, and convolutions take fewer products.

Backward runs layer by layer. A blob that a group of layers leaves out is computed when somebody asks for its data, and
in each pass as long as somebody holds an array of it (see Blob.track).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np

from caffe_compat.engine import FAST
from caffe_compat.engines.fast.groups import FusedGroup, find_groups
from caffe_compat.engines.fast.winograd import PhasedWinograd, Winograd
from caffe_compat.engines.strict import StrictEngine
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.convolution.depthwise import Depthwise
from caffe_compat.net import Net


class FastEngine(StrictEngine):
    """Runs the layers of each group at once, and the others as StrictEngine does."""

    name = FAST

    def __init__(self, net: Net, device: str = "cpu", precision: str = "float32"):
        super().__init__(net, device, precision)
        for layer in net.layers:
            if type(layer) is Convolution:
                _choose_algorithm(layer)
        self._by_first = find_groups(net.graph, net.layers, net.plan)
        self.groups = list(self._by_first.values())
        for group in self.groups:
            for blob in group.hidden:
                net.blob_list[blob].track(diff=False)

    def forward(self, start: int, end: int) -> float:
        net, loss = self.net, 0.0
        done: set[int] = set()  # the first layers of groups that have run
        group: FusedGroup | None = None
        for i in range(start, end + 1):
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
                self._defer(group, i)
            loss += net.loss_of(i)
            net.notify("after_forward", i)
        return loss

    def forward_layer(self, index: int) -> None:
        for top in self.net.tops[index]:
            if top.pending_data is not None and all(top is not bottom for bottom in self.net.bottoms[index]):
                top.defer_data(None)
        super().forward_layer(index)

    def _run(self, group: FusedGroup) -> None:
        """Run the layers of a group at once; a hidden blob is computed too if somebody holds an array of one."""
        net, layers = self.net, slice(group.first, group.last + 1)
        for blob in chain.from_iterable(net.tops[layers]):
            blob.defer_data(None)
        held = any(net.blob_list[i].data_is_held for i in group.hidden)
        net.call_layer(group.main, group.fused.forward, net.bottoms[layers], net.tops[layers])
        if group.hidden:
            make = self._defer(group, group.last - 1)
            if held:
                make()

    def _defer(self, group: FusedGroup, last: int) -> Callable[..., None]:
        """Defer the tops of a group's layers up to `last`: they run when somebody asks for one of these blobs.

        Returns the function that runs them.
        """
        tops = list(chain.from_iterable(self.net.tops[group.first : last + 1]))

        def make(array: np.ndarray | None = None) -> None:
            for blob in tops:
                blob.defer_data(None)
            for i in range(group.first, last + 1):
                StrictEngine.forward_layer(self, i)

        for blob in tops:
            blob.defer_data(make, wait=True)
        return make


def _choose_algorithm(layer: Convolution) -> None:
    """Let a convolution take its products in the fastest way that fits it."""
    filters = layer.blobs[0].shape
    for kind in (Depthwise, Winograd, PhasedWinograd):
        if kind.fits(layer.geometry, layer.group, filters, layer.dtype):
            layer.algorithm = kind(layer.geometry, layer.group)
            return
