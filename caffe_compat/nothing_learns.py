"""Why a net that is trained stays as it is."""

from __future__ import annotations

from caffe_compat.backward_plan import param_gets_gradient
from caffe_compat.layers.base import Layer
from caffe_compat.net import Net


def nothing_learns(net: Net) -> str | None:
    """Why no param of the net gets a gradient, and what to do, in words; None where one does."""
    if any(param_gets_gradient(net.plan, param.uses) for param in net.learnable):
        return None
    if not net.learnable:
        return "nothing learns: the net has no params"
    if not any(net.graph.loss_weights):
        return f"nothing learns: no layer is a loss; {_way_out(net)}"
    if all(param.lr_mult.value == 0 for param in net.learnable):
        return "nothing learns: each param has lr_mult: 0"
    return (
        "nothing learns: the gradient of no loss reaches a param; `caffe-compat explain` says where it stops"
    )


def losses_without_weight(net: Net) -> list[str]:
    """The Python layers that may be meant as losses: they have a backward, and nothing takes their tops."""
    ends = {net.blob_names.index(name) for name in net.outputs}
    return [
        node.param.name
        for node, layer in zip(net.graph.nodes, net.layers, strict=True)
        if node.param.type == "Python"
        and not any(node.loss_weights)
        and set(node.tops) & ends
        and type(layer).backward is not Layer.backward
    ]


def _way_out(net: Net) -> str:
    found = losses_without_weight(net)
    if found:
        return f"a Python layer is one with loss_weight: 1 (here layer '{found[0]}', which has a backward)"
    return "end it in one, such as SoftmaxWithLoss, or give the layer that is one loss_weight: 1"
