"""The strict engine: each layer by itself, in order, as Caffe runs it."""

from __future__ import annotations

from caffe_compat.engine import STRICT
from caffe_compat.engines.base import Engine, Updates
from caffe_compat.engines.host_updates import HostUpdates
from caffe_compat.layers.registry import computed_type
from caffe_compat.memory import check_memory
from caffe_compat.net import Net


class StrictEngine(Engine):
    """Runs each layer by itself. Source: Caffe's Net::ForwardFromTo and Net::BackwardFromTo."""

    name = STRICT
    updates: Updates = HostUpdates()

    def __init__(self, net: Net, device: str = "cpu", precision: str = "float32", compiled: bool = False):
        super().__init__(net, device, precision, compiled)
        self.find_groups()
        self._check_memory()

    def find_groups(self) -> None:
        """Set `groups`; here there are none."""

    def _check_memory(self) -> None:
        """Raise CaffeCompatError where there is no room for what a backward pass reads; without one, blobs may share
        theirs."""
        if any(plan.need_backward for plan in self.net.plan):
            hidden = {i for group in self.groups for i in group.hidden}
            blobs = [blob for i, blob in enumerate(self.net.blob_list) if i not in hidden]
            sizes = {id(blob.shared_data): blob.count * blob.dtype.itemsize for blob in blobs}
            check_memory(sum(sizes.values()), "what the layers of the net write")

    def forward(self, start: int, end: int) -> float:
        net, loss = self.net, 0.0
        for i in range(start, end + 1):
            net.notify("before_forward", i)
            net.reshape_layer(i)
            self.forward_layer(i)
            loss += net.loss_of(i)
            net.notify("after_forward", i)
        return loss

    def backward(self, start: int, end: int) -> None:
        net = self.net
        for i in range(start, end - 1, -1):
            if net.plan[i].need_backward:
                net.notify("before_backward", i)
                self.backward_layer(i)
                net.notify("after_backward", i)

    def run_layer(self, index: int, backward: bool = False) -> None:
        if backward:
            self.backward_layer(index)
        else:
            self.net.reshape_layer(index)
            self.forward_layer(index)

    def forward_layer(self, index: int) -> None:
        """Compute the tops of a layer that has been reshaped."""
        net = self.net
        if not self._writes_nothing(index):
            net.call_layer(index, net.layers[index].forward, net.bottoms[index], net.tops[index])

    def backward_layer(self, index: int) -> None:
        """Compute the gradients of a layer that the plan asks for; raises LayerError for one that it cannot give."""
        net, plan = self.net, self.net.plan[index]
        net.check_gradient(index)
        if self._writes_nothing(index):
            for bottom, wanted in zip(net.bottoms[index], plan.propagate_down, strict=True):
                if wanted:
                    bottom.diff[...] = 0
            return
        net.call_layer(
            index, net.layers[index].backward, net.tops[index], plan.propagate_down, net.bottoms[index]
        )

    def _writes_nothing(self, index: int) -> bool:
        """Whether a layer's tops have no elements: its loops over the other dims, however large, need not run.

        A user's own layer runs, and so does one that changes its params, or that says in forward how many rows there
        are: it may have had none before.
        """
        layer, tops = self.net.layers[index], self.net.tops[index]
        runs = computed_type(layer) == "Python" or layer.changes_params or layer.counts_rows
        return bool(tops) and not runs and not any(top.count for top in tops)
