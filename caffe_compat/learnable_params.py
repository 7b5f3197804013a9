"""Params that layers share by name: who owns them, and which lr_mult and decay_mult count.

Source: Caffe's Net::AppendParam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from caffe_compat.errors import GraphError
from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer
from caffe_compat.prototxt.caffe_pb2 import ParamSpec


@dataclass
class Multiplier:
    """An lr_mult or a decay_mult, and the layer that states it (empty: nobody does, Caffe's default counts)."""

    value: float = 1.0
    stated_by: str = ""


@dataclass
class Param:
    """One learnable param. `uses` are its places (layer index, param index), the owner's first.

    regularization: L1 or L2, where the param's decay is not the solver's kind (SSL Caffe); empty: as the solver says.
    """

    name: str
    uses: list[tuple[int, int]]
    lr_mult: Multiplier = field(default_factory=Multiplier)
    decay_mult: Multiplier = field(default_factory=Multiplier)
    regularization: str = ""


def collect_params(graph: Graph, layers: Sequence[Layer]) -> list[Param]:
    """The learnable params of layers that are set up, in net order; a shared one appears once.

    The owner is the first layer that names the param. Where it states no lr_mult or decay_mult, that of the first
    later layer which does counts. Raises GraphError where two layers state different ones, where the shapes differ
    (or, with share_mode PERMISSIVE, the counts), or where a layer has more param specs than params.
    """
    params: list[Param] = []
    owned: dict[str, Param] = {}
    for i, (node, layer) in enumerate(zip(graph.nodes, layers, strict=True)):
        specs = node.param.param
        if len(specs) > len(layer.blobs):
            raise GraphError(
                f"has {len(specs)} param entries, but as type {node.param.type} it has {len(layer.blobs)} param(s)",
                layer=layer.name,
            )
        for j in range(len(layer.blobs)):
            spec = specs[j] if j < len(specs) else ParamSpec()
            param = owned.get(spec.name) if spec.name else None
            if param is None:
                param = Param(spec.name, [(i, j)])
                params.append(param)
                if spec.name:
                    owned[spec.name] = param
            else:
                _check_shapes(layers, param, i, j, spec)
                param.uses.append((i, j))
            _merge(param, param.lr_mult, "lr_mult", spec, layer.name)
            _merge(param, param.decay_mult, "decay_mult", spec, layer.name)
            _merge_regularization(param, spec, layer.name)
    return params


def _merge(param: Param, merged: Multiplier, field_name: str, spec: ParamSpec, layer: str) -> None:
    if not spec.HasField(field_name):
        return
    value = getattr(spec, field_name)
    if merged.stated_by and merged.value != value:
        raise GraphError(
            f"states {field_name} {value:g} for the shared param '{param.name}', layer '{merged.stated_by}' "
            f"states {merged.value:g}; make them equal, or state it once",
            layer=layer,
        )
    if not merged.stated_by:
        merged.value, merged.stated_by = value, layer


def _merge_regularization(param: Param, spec: ParamSpec, layer: str) -> None:
    kind = spec.regularization_type
    if kind not in ("", "L1", "L2"):
        raise GraphError(
            f"has a param of the unknown regularization_type '{kind}'; known are L1 and L2", layer=layer
        )
    if kind and param.regularization not in ("", kind):
        raise GraphError(
            f"states regularization_type {kind} for the shared param '{param.name}', another layer states "
            f"{param.regularization}; make them equal, or state it once",
            layer=layer,
        )
    param.regularization = param.regularization or kind


def _check_shapes(layers: Sequence[Layer], param: Param, i: int, j: int, spec: ParamSpec) -> None:
    owner_layer, owner_index = param.uses[0]
    mine, owner = layers[i].blobs[j], layers[owner_layer].blobs[owner_index]
    if None in (mine.shape, owner.shape):  # of a net that is only looked at
        return
    permissive = spec.share_mode == ParamSpec.PERMISSIVE
    if mine.count != owner.count or (not permissive and mine.shape != owner.shape):
        hint = "" if mine.count != owner.count else "; equal counts: 'share_mode: PERMISSIVE' would allow it"
        raise GraphError(
            f"shares param '{param.name}' with layer '{layers[owner_layer].name}', but needs the shape "
            f"{mine.shape} where that layer has {owner.shape}{hint}",
            layer=layers[i].name,
        )


def share_memory(layers: Sequence[Layer], params: Sequence[Param]) -> None:
    """Let every use of a shared param have the owner's data and diff (what the sharers' fillers drew is dropped)."""
    for param in params:
        layer, index = param.uses[0]
        owner = layers[layer].blobs[index]
        for layer, index in param.uses[1:]:
            layers[layer].blobs[index].share_data(owner)
            layers[layer].blobs[index].share_diff(owner)
