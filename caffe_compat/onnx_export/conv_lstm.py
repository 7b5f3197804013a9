"""ConvLSTM: a Scan over the steps, whose states are maps.

A model has no memory, see recurrent.py.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from caffe_compat.layers.base import Layer
from caffe_compat.layers.recurrent.conv_lstm import GATES, ConvLSTM
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.filters import attributes_of
from caffe_compat.onnx_export.operators import Operators


@converts("ConvLSTM")
def conv_lstm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, ConvLSTM)
    x, cont, *given = bottoms
    shape = write("Concat", write.ints([-1]), write.dims(x, 2, 5), axis=0)
    of_x = _gates(write, layer, write("Reshape", x, shape), [[layer.blobs[gate]] for gate in range(GATES)])
    steps = write("Concat", write.dims(x, 0, 2), write.dims(of_x, 1, 4), axis=0)
    z = write("Reshape", of_x, steps)
    cont = write("Unsqueeze", cont, write.ints([2, 3, 4]))
    if given:
        states = [write("Squeeze", state, write.ints([0])) for state in given]
    else:
        sizes = write.dims(x, 1, 2), write.ints([layer.outputs]), write.dims(x, 3, 5)
        states = [write("Expand", write.floats(0), write("Concat", *sizes, axis=0))] * 2
    last_h, last_c, h = _scanned(write, layer, z, cont, states)
    tops = [h, *(write("Unsqueeze", state, write.ints([0])) for state in (last_h, last_c))]
    return tops[: len(layer.layer_param.top)]


def _gates(write: Operators, layer: ConvLSTM, maps: str, params: list[list]) -> str:
    """The convolutions of all gates, one behind the other on axis 1."""
    how = attributes_of(layer.geometry()) | {"group": layer.layer_param.lstm_conv_param.group}
    return write(
        "Concat", *(write("Conv", maps, *map(write.param, blobs), **how) for blobs in params), axis=1
    )


def _scanned(write: Operators, layer: ConvLSTM, z: str, cont: str, states: list[str]) -> list[str]:
    """h and c behind the last step, and h of each step."""
    inner = Operators(onnx.GraphProto(name=f"{write.scope}: one step"), write.fresh(f"{write.scope}:step"))
    h, c, own_z, own_cont = (f"{inner.scope}:{name}" for name in ("h", "c", "z", "cont"))
    held = inner("Mul", h, own_cont)
    of_h = _gates(inner, layer, held, [list(layer.on_h(gate)) for gate in range(GATES)])
    gates = inner.many("Split", GATES, inner("Add", own_z, of_h), axis=1)
    for i, hadamard in enumerate(layer.peepholes()):
        factors = inner.floats(hadamard.data.reshape(layer.broadcast)[0])
        gates[i] = inner("Add", gates[i], inner("Mul", c, factors))
    entered, kept, shown = (inner("Sigmoid", gate) for gate in gates[:3])
    old = inner("Mul", own_cont, inner("Mul", kept, c))
    new_c = inner("Add", old, inner("Mul", entered, inner("Tanh", gates[3])))
    new_h = inner("Mul", shown, inner("Tanh", new_c))
    behind = [new_h, new_c, inner("Identity", new_h)]
    described = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in names]
        for names in ([h, c, own_z, own_cont], behind)
    ]
    inner.graph.input.extend(described[0])
    inner.graph.output.extend(described[1])
    return write.many("Scan", 3, *states, z, cont, body=inner.graph, num_scan_inputs=2)
