"""Where in a net a value stands, in words: image, channel, row and column, or the RoI with its box, or the class."""

from __future__ import annotations

from caffe_compat.blob import Blob
from caffe_compat.net import Net

IMAGES = ("image", "channel", "row", "column")
BINS = ("RoI", "channel", "bin row", "bin column")
CORNERS = ("image number", "x1", "y1", "x2", "y2")
MOVES = ("dx", "dy", "dw", "dh")  # of box targets, four a class

Index = tuple[int, ...]


def blob_place(net: Net, layer: int, blob: int, index: Index) -> str:
    """The place of an element of a blob (its number in the net) that this layer reads or writes."""
    array, name = net.blob_list[blob], net.blob_names[blob]
    if not index or array.count == 1:
        return "the only value"
    rois = _rois_of(net, layer, blob)
    names = list(IMAGES if rois is None else BINS)
    if len(index) > len(names):
        return "index " + ", ".join(map(str, index))
    words = [f"{axis} {i}" for axis, i in zip(names, index, strict=False)]
    if rois is not None:
        image, *box = rois.data.reshape(-1, 5)[index[0]]
        words[0] = f"RoI {index[0]} (image {image:g}, box {' '.join(f'{x:g}' for x in box)})"
    if len(index) > 1:
        column = index[1]
        if rois is not None and _are_rois(array, name):
            words[1] = CORNERS[column]
        elif rois is not None and "bbox" in name and array.channels % 4 == 0:
            words[1] = f"class {column // 4}, {MOVES[column % 4]}"
        elif _has_classes(net, blob):
            words[1] = f"class {column}"
        elif len(index) == 2:
            words[1] = f"output {column}"
    return ", ".join(words)


def param_place(net: Net, layer: int, param: int, index: Index) -> str:
    """The place of an element of this layer's param."""
    if not index:
        return "the only value"
    named = net.layers[layer].param_axes[param:]
    names = named[0] if named else ("channel",)
    if len(index) != len(names):
        return "index " + ", ".join(map(str, index))
    return ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))


def _are_rois(blob: Blob, name: str) -> bool:
    return "rois" in name and blob.count == 5 * blob.num


def _rois_of(net: Net, layer: int, blob: int) -> Blob | None:
    """The nearest RoIs up the net of which this blob has a row each; None where it has rows of something else."""
    rows, flat = net.blob_list[blob].num, len(net.blob_list[blob].shape) < 4
    waiting, seen = [layer], {layer}
    while waiting:
        node = net.graph.nodes[waiting.pop(0)]
        for near in [*node.bottoms, *node.tops] if node.bottoms or flat else []:
            if net.blob_list[near].num == rows and _are_rois(net.blob_list[near], net.blob_names[near]):
                return net.blob_list[near]
        for i, above in enumerate(net.graph.nodes[:layer]):
            shared = [b for b in above.tops if b in node.bottoms and net.blob_list[b].num == rows]
            if shared and i not in seen:
                seen.add(i)
                waiting.append(i)
    return None


def _has_classes(net: Net, blob: int) -> bool:
    """Whether a softmax is taken over axis 1 of the blob, maybe behind splits, or was taken."""
    from caffe_compat.layers.softmax import Softmax  # who has a net has these
    from caffe_compat.layers.softmax_loss import SoftmaxWithLoss
    from caffe_compat.layers.split import Split

    follow = {blob}
    for node, layer in zip(net.graph.nodes, net.layers, strict=True):
        if isinstance(layer, (Softmax, SoftmaxWithLoss)) and node.param.softmax_param.axis == 1:
            if node.bottoms[0] in follow or blob in node.tops:
                return True
        elif isinstance(layer, Split) and node.bottoms[0] in follow:
            follow.update(node.tops)
    return False
