"""Truncated SVD of a net's fully connected layers: each becomes two thin ones, which together compute about the same.

Source: Fast R-CNN (Girshick 2015), section 3.1; tools/compress_net.py of the reference.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from caffe_compat.errors import GraphError
from caffe_compat.graph import with_state
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import TEST, LayerParameter, NetParameter
from caffe_compat.prototxt.reader import read_net
from caffe_compat.weights import Report

RANKS = {"fc6": 1024, "fc7": 256}  # of the paper, for VGG16
_TYPE = "InnerProduct"


@dataclass(frozen=True)
class Compressed:
    """What became of a layer with outputs x inputs weights.

    rank: that of the two layers that replace it; None where it stays, as two would not have fewer weights. error: the
    Frobenius norm of what their product lacks of the layer's weights, as a share of the weights' norm.
    """

    layer: str
    inputs: int
    outputs: int
    rank: int | None
    error: float

    @property
    def weights(self) -> int:
        """How many weights it has now, without biases; also the number of multiply-adds for one RoI."""
        whole = self.inputs * self.outputs
        return whole if self.rank is None else self.rank * (self.inputs + self.outputs)


def compress(
    network_file: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    ranks: Mapping[str, int] = RANKS,
    python_layers: bool = True,
) -> tuple[NetParameter, Net, list[Compressed], Report]:
    """The compressed net: as a message with all its phases, and as a Net in phase TEST with its weights.

    ranks: InnerProduct layer -> rank t. A layer L becomes L_L, with t outputs and no bias, and L_U, with the bias and
    the tops of L; it stays where t * (inputs + outputs) is not below inputs * outputs. python_layers: see Net. Also
    returns what became of each layer, and what was loaded from the weights.

    Raises GraphError where the net has no such layer, or the layer shares its params, and what Net raises.
    """
    param, source = read_net(os.fspath(network_file))
    net = Net.from_param(with_state(param, TEST), source, python_layers=python_layers)
    report = net.copy_from(weights)
    done, factors = [], {}
    for name, rank in ranks.items():
        matrix = _weights(net, name)
        outputs, inputs = matrix.shape
        if rank * (inputs + outputs) < inputs * outputs:
            left, right, error = truncated_svd(matrix, rank)
            factors[name] = left, right
            done.append(Compressed(name, inputs, outputs, rank, error))
        else:
            done.append(Compressed(name, inputs, outputs, None, 0.0))
    thin = _with_thin_layers(param, {one.layer: one.rank for one in done if one.rank is not None})
    result = Net.from_param(with_state(thin, TEST), python_layers=python_layers)
    result.share_with(net)
    for name, (left, right) in factors.items():
        result.params[f"{name}_L"][0].data[...] = right
        result.params[f"{name}_U"][0].data[...] = left
        for mine, bias in zip(result.params[f"{name}_U"][1:], net.params[name][1:], strict=True):
            mine.data[...] = bias.data
    return thin, result, done, report


def truncated_svd(matrix: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The best factors, outputs x rank and rank x inputs, of a matrix outputs x inputs, and their error as a share.

    The columns of the first are left singular vectors; the rows of the second are right ones times singular values.
    """
    # the eigenvectors of matrix * matrix.T: several times faster than an SVD of a wide matrix
    wide = matrix.astype(np.float64)
    squares, vectors = np.linalg.eigh(wide @ wide.T)  # in ascending order
    left = vectors[:, : -rank - 1 : -1]
    error = np.sqrt(squares[:-rank].clip(0).sum() / max(squares.sum(), np.finfo(np.float64).tiny))
    return left.astype(np.float32), (left.T @ wide).astype(np.float32), float(error)


def _weights(net: Net, name: str) -> np.ndarray:
    """The weights of a layer, outputs x inputs."""
    types = {layer.name: layer.type for layer in net.param.layer}
    if types.get(name) != _TYPE:
        found = f"is of type {types[name]}" if name in types else "is not in the net"
        there = ", ".join(layer for layer, type in types.items() if type == _TYPE) or "none"
        raise GraphError(f"{found}; {_TYPE} layers can be compressed (here: {there})", layer=name)
    layer = net.layer_dict[name]
    index = net.layers.index(layer)
    if any(len(param.uses) > 1 for param in net.learnable if any(use[0] == index for use in param.uses)):
        raise GraphError("shares its params with another layer; compress a test net", layer=name)
    if net.param.layer[index].inner_product_param.transpose:
        raise GraphError("has transposed weights, which cannot be compressed", layer=name)
    return layer.blobs[0].data


def _with_thin_layers(param: NetParameter, ranks: Mapping[str, int]) -> NetParameter:
    """The net with each of these layers replaced by its two."""
    result = NetParameter()
    result.CopyFrom(param)
    del result.layer[:]
    for layer in param.layer:
        if layer.type == _TYPE and layer.name in ranks:
            result.layer.extend(_thin_layers(layer, ranks[layer.name]))
        else:
            result.layer.append(layer)
    return result


def _thin_layers(layer: LayerParameter, rank: int) -> tuple[LayerParameter, LayerParameter]:
    lower, upper = LayerParameter(), LayerParameter()
    for half, letter in ((lower, "L"), (upper, "U")):
        half.CopyFrom(layer)
        half.name = f"{layer.name}_{letter}"
        half.inner_product_param.ClearField("weight_filler")
        half.inner_product_param.ClearField("bias_filler")
    lower.inner_product_param.num_output = rank
    lower.inner_product_param.bias_term = False
    del lower.param[1:]
    lower.top[:] = [lower.name]
    upper.bottom[:] = [lower.name]
    upper.ClearField("propagate_down")
    return lower, upper
