"""Graphs of nets, laid out by Graphviz: pycaffe's caffe.draw.

Needs pydot (`pip install 'caffe-compat[draw]'`); for pictures also Graphviz's program `dot`, from the system's
packages. Nodes and edges are those of pycaffe's.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from caffe_compat.errors import CaffeCompatError
from caffe_compat.files import replacing
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, NetParameter, PoolingParameter
from caffe_compat.prototxt.upgrade import upgrade_net

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
_COLORS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
_LEARNING = ("Convolution", "Deconvolution", "InnerProduct")


def get_pooling_types_dict() -> dict[int, str]:
    """{0: "MAX", 1: "AVE", 2: "STOCHASTIC"}."""
    return {number: name for name, number in PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: LayerParameter) -> str:
    """What stands at the edge to a top: num_output, or a Data layer's batch size, or nothing ('""')."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: LayerParameter) -> tuple[float, float]:
    """The lr_mult of weights and bias of a Convolution, Deconvolution or InnerProduct layer.

    Raises ValueError for other types, and for more than two params.
    """
    if layer.type not in _LEARNING:
        raise ValueError(f"{layer.type} layers do not have a learning rate multiplier")
    if len(layer.param) > 2:
        raise ValueError(
            f"layer '{layer.name}' has {len(layer.param)} params; weights and a bias were expected"
        )
    weights, bias = ([param.lr_mult for param in layer.param] + [1.0, 1.0])[:2]
    return weights, bias


def get_layer_label(layer: LayerParameter, rankdir: str, display_lrm: bool = False) -> str:
    """A layer's name, type, kernel size, stride and pad, in double quotes: on one line where rankdir is TB or BT."""
    kind = layer.type
    if kind == "Pooling":
        kind += " " + get_pooling_types_dict()[layer.pooling_param.pool]
    parts = [layer.name, f"({kind})"]
    if layer.type == "Pooling":
        pooling = layer.pooling_param
        parts += _spatial(pooling.kernel_size, pooling.stride, pooling.pad)
    elif layer.type in ("Convolution", "Deconvolution"):
        conv = layer.convolution_param
        parts += _spatial(
            *(v[0] if v else d for v, d in [(conv.kernel_size, 1), (conv.stride, 1), (conv.pad, 0)])
        )
    if display_lrm and layer.type in _LEARNING:
        multipliers = get_layer_lr_mult(layer)
        if any(multipliers):
            parts.append("lr mult: {:.1f}, {:.1f}".format(*multipliers))
    return '"{}"'.format((" " if rankdir in ("TB", "BT") else r"\n").join(parts))


def _spatial(kernel: int, stride: int, pad: int) -> list[str]:
    return [f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"]


def choose_color_by_layertype(layertype: str) -> str:
    """The fill colour of a layer, as #RRGGBB."""
    return _COLORS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: NetParameter,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """The net as a pydot.Dot: a node a layer, a node a blob.

    rankdir: LR, RL, TB or BT, where the graph runs to. phase: TRAIN or TEST, to leave out layers of the other one.
    Nets of older forms are upgraded before. Raises ValueError for a layer that has both include and exclude rules
    when a phase is asked for, CaffeCompatError where pydot is not installed.
    """
    pydot = _pydot()
    graph = pydot.Dot(f'"{caffe_net.name or "Net"}"', graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges = []
    for layer in upgrade_net(caffe_net).layer:
        if phase is not None and not _included(layer, phase):
            continue
        key = f"{layer.name}_{layer.type}"
        if len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top):
            style = NEURON_LAYER_STYLE
        else:
            style = {**LAYER_STYLE_DEFAULT, "fillcolor": choose_color_by_layertype(layer.type)}
        nodes[key] = pydot.Node(get_layer_label(layer, rankdir, display_lrm), **style)
        for blob in [*layer.bottom, *layer.top]:
            nodes.setdefault(f"{blob}_blob", pydot.Node(f'"{blob}"', **BLOB_STYLE))
        edges += [(f"{blob}_blob", key, '""') for blob in layer.bottom]
        label = get_edge_label(layer) if label_edges else '""'
        edges += [(key, f"{blob}_blob", label) for blob in layer.top]
    for node in nodes.values():
        graph.add_node(node)
    for source, target, label in edges:
        graph.add_edge(pydot.Edge(nodes[source], nodes[target], label=label))
    return graph


def _included(layer: LayerParameter, phase: int) -> bool:
    if layer.include and layer.exclude:
        raise ValueError(f"layer '{layer.name}' has both include and exclude specified")
    if layer.include:
        return any(rule.phase == phase for rule in layer.include)
    return all(rule.phase != phase for rule in layer.exclude)


def draw_net(
    caffe_net: NetParameter,
    rankdir: str,
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """A picture of a net, as the content of a file of the format `ext`; "raw" is Graphviz's own text.

    Arguments and errors as of `get_pydot_graph`; CaffeCompatError too where Graphviz's `dot` is not there or fails.
    """
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    if ext == "raw":
        return graph.to_string().encode()
    try:
        return graph.create(format=ext)
    except OSError as error:
        raise CaffeCompatError(
            "Graphviz's program 'dot' is not installed; get it from the system's packages (apt install graphviz), "
            "or draw to a .raw file, which needs none"
        ) from error
    except AssertionError as error:  # pydot's, where dot fails
        raise CaffeCompatError(f"Graphviz's dot cannot draw the net as '{ext}': {error}") from error


def draw_net_to_file(
    caffe_net: NetParameter,
    filename: str | os.PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Write what `draw_net` gives to a file; its ending is the format."""
    ext = os.path.splitext(filename)[1].removeprefix(".")
    content = draw_net(caffe_net, rankdir, ext, phase, display_lrm)
    with replacing(filename) as temporary, open(temporary, "wb") as file:
        file.write(content)


def _pydot() -> ModuleType:
    try:
        import pydot
    except ImportError as error:
        raise CaffeCompatError("drawing a net needs pydot; pip install 'caffe-compat[draw]'") from error
    return pydot
