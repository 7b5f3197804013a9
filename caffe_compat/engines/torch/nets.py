"""Which layers of a net torch computes."""

from __future__ import annotations

import math
import warnings

from caffe_compat.engines.torch.converters import conversion
from caffe_compat.engines.torch.devices import DeviceConfig
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.engines.torch.masks import Masks
from caffe_compat.layers.dropout import Dropout
from caffe_compat.layers.relu import ReLU
from caffe_compat.layers.relu6 import ReLU6
from caffe_compat.net import Net


def torch_layers(net: Net, config: DeviceConfig, masks: Masks) -> dict[int, TorchLayer]:
    """The net's layers that torch computes, by index.

    Layers that bring data run themselves. So do layers without a torch counterpart: a warning says
    which, and what that costs.
    """
    result = {}
    left: list[int] = []
    for i, layer in enumerate(net.layers):
        found = conversion(layer)
        if found is not None and not _reads_changed_top(net, i):
            result[i] = TorchLayer(layer, found, config, in_place=_may_overwrite(net, i), masks=masks)
        elif not brings_data(net, i):
            left.append(i)
    if left:
        warnings.warn(_cost(net, left, config), stacklevel=2)
    return result


def brings_data(net: Net, index: int) -> bool:
    """Whether a layer is where a net begins: it has no bottoms, and no params that learn."""
    return not net.graph.nodes[index].bottoms and not any(net.plan[index].param_propagate_down)


def _reads_changed_top(net: Net, index: int) -> bool:
    """Whether a later layer changes in place what this one's backward reads in Caffe, which so is not the gradient:
    only the project's own layer does the same."""
    layer, node = net.layers[index], net.graph.nodes[index]
    if not net.plan[index].need_backward or not (node.bottoms and node.tops):
        return False
    # then the bottom that it reads is the top
    in_place = isinstance(layer, (ReLU, ReLU6)) and node.tops[0] == node.bottoms[0]
    if not (layer.backward_reads_top or in_place):
        return False
    writers = [
        net.layers[i] for i in range(index + 1, len(net.layers)) if node.tops[0] in net.graph.nodes[i].tops
    ]
    # they leave its zeros, all that a ReLU reads
    harmless = (Dropout, ReLU) if in_place and isinstance(layer, ReLU) else ()
    return not all(isinstance(writer, harmless) for writer in writers)


def _may_overwrite(net: Net, index: int) -> bool:
    """Whether a layer works in place, in memory that is no other blob's, and no backward needs what it overwrites."""
    node = net.graph.nodes[index]
    if not (node.bottoms and node.tops and node.tops[0] == node.bottoms[0]):
        return False
    writers = [i for i in range(index + 1) if node.tops[0] in net.graph.nodes[i].tops]
    first = conversion(net.layers[writers[0]])
    return first is not None and first.own_memory and not any(net.plan[i].need_backward for i in writers)


def _cost(net: Net, left: list[int], config: DeviceConfig) -> str:
    blobs = [blob for i in left for blob in (*net.bottoms[i], *net.tops[i])]
    size = 4 * sum(math.prod(blob.shape) for blob in blobs) / 2**20
    names = ", ".join(f"{net.layer_names[i]} ({net.param.layer[i].type})" for i in left)
    return (
        f"no torch counterpart: {names}; computed on the CPU by caffe-compat itself, which copies {size:.3g} MiB (at "
        f"the net's first shapes) from and to {config.device} in each forward, and as much in each backward"
    )
