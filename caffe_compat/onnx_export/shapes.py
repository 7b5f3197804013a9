"""Which dims of a net's inputs and outputs may differ from one run to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from caffe_compat.errors import CaffeCompatError
from caffe_compat.net import Net

Dims = list[int | str | None]  # a size, a symbol, or None: it depends on the inputs
Shapes = dict[str, Dims]
Axis = tuple[str, int]  # an input, and one of its axes

FOUR = "num", "channels", "height", "width"


def symbolic_shapes(net: Net) -> Shapes:
    """The shapes of the inputs and outputs: `data_height` for a dim of the input data in which the net takes another
    size, None for an output's dim that follows an input's but is not the same, or that the values decide.

    Found by trying: an input's axis becomes about twice as long, by itself, or (then the symbol is `height`) with
    the same axis of all other inputs that cannot change by themselves; a layer that counts rows makes one more.
    Afterwards the net has its own shapes again, and the inputs their data; what the other blobs held is lost.
    """
    data = {name: net.blobs[name].data.copy() for name in net.inputs}
    own = {name: net.blobs[name].shape for name in net.inputs}
    result: Shapes = {name: list(net.blobs[name].shape) for name in [*net.inputs, *net.outputs]}
    alone = [(name, i) for name, shape in own.items() for i in range(len(shape))]
    try:
        stiff = [
            axis for axis in alone if not _try(net, own, [axis], f"{axis[0]}_{_word(own, axis)}", result)
        ]
        for i, count in Counter(i for _, i in stiff).items():
            if count > 1:
                together = [axis for axis in stiff if axis[1] == i]
                _try(net, own, together, _word(own, together[0]), result)
    finally:
        _reshape(net, own, ())
        for name, array in data.items():
            net.blobs[name].data[...] = array
    if any(layer.counts_rows for layer in net.layers):
        _open(net, result)
    return result


def _word(own: dict[str, tuple[int, ...]], axis: Axis) -> str:
    name, i = axis
    return FOUR[i] if len(own[name]) == 4 else "num" if i == 0 else f"dim{i}"


def _try(
    net: Net, own: dict[str, tuple[int, ...]], axes: Sequence[Axis], symbol: str, result: Shapes
) -> bool:
    """Whether the net takes these axes longer, and its outputs keep their numbers of axes; then they, and the outputs'
    dims that change, become symbolic."""
    if len({own[name][i] for name, i in axes}) > 1:
        return False
    before = {name: net.blobs[name].shape for name in net.outputs}
    try:
        _reshape(net, own, axes)
        takes = all(len(net.blobs[name].shape) == len(shape) for name, shape in before.items())
    except CaffeCompatError:
        takes = False
    if not takes:
        _reshape(net, own, ())
        return False
    name, i = axes[0]
    longer = net.blobs[name].shape[i]
    for name, i in axes:
        result[name][i] = symbol
    for name in set(net.outputs) - set(net.inputs):
        for i, (old, new) in enumerate(zip(before[name], net.blobs[name].shape, strict=True)):
            if old != new:
                same = (old, new) == (own[axes[0][0]][axes[0][1]], longer)
                result[name][i] = symbol if same and result[name][i] == old else None
    _reshape(net, own, ())
    return True


def _open(net: Net, result: Shapes) -> None:
    """Let the outputs' dims that follow from how many rows layers make be None: all such layers make one more."""
    own = {name: net.blobs[name].shape for name in net.outputs}
    shapes = [[top.shape for top in tops] for tops in net.tops]
    for change in (1, 0):
        for i, layer in enumerate(net.layers):
            net.reshape_layer(i)
            for top, shape in zip(net.tops[i] if layer.counts_rows else (), shapes[i], strict=False):
                axis = layer.row_axis
                top.reshape(*shape[:axis], shape[axis] + change, *shape[axis + 1 :])
        for name, shape in own.items():
            for i, (old, new) in enumerate(zip(shape, net.blobs[name].shape, strict=True)):
                if old != new:
                    result[name][i] = None


def _reshape(net: Net, own: dict[str, tuple[int, ...]], longer: Sequence[Axis]) -> None:
    for name, shape in own.items():
        dims = [2 * dim + 1 if (name, i) in longer else dim for i, dim in enumerate(shape)]
        net.blobs[name].reshape(*dims)
    net.reshape()
