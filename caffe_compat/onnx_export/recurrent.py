"""LSTM, RNN and LSTMUnit: a Scan over the steps.

A model has no memory: where no bottom has the states, each run begins with zeros, as Caffe's first forward does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from caffe_compat.layers.base import Layer
from caffe_compat.layers.recurrent.recurrent import Recurrent
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import END, Operators

# from the gates' inputs z, N x gates D, cont, N x 1 (None: 1), and the states before, N x D, h first, to those behind
Step = Callable[[Operators, str, str | None, Sequence[str]], list[str]]


@converts("LSTM", "RNN")
def recurrent(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Recurrent)
    weights, bias, *rest = layer.blobs
    param, given = layer.layer_param.recurrent_param, list(bottoms[2:])
    size, biases = param.num_output, bias.data.copy()
    if layer.type == "LSTM":
        biases[size : 2 * size] += np.float32(param.lstm_additional_forget_bias)
    z = of_inputs(write, bottoms[0], weights.data, biases)
    if layer.has_static:
        static = write("Gemm", write("Flatten", given.pop(0), axis=1), write.param(rest.pop(0)), transB=1)
        static = write("Unsqueeze", static, write.ints([0]))
        if param.static_input_only_start:
            z = write("Concat", write("Add", _part(write, z, 0, 1), static), _part(write, z, 1, END), axis=0)
        else:
            z = write("Add", z, static)
    if given:
        states = [write("Squeeze", state, write.ints([0])) for state in given]
    else:
        states = [zeros(write, z, size)] * len(layer.states)
    cont = write("Unsqueeze", bottoms[1], write.ints([2]))
    *states, h = steps(write, z, cont, states, rest[0].data, lstm_step if layer.type == "LSTM" else rnn_step)
    if layer.type == "RNN":
        h = write("Tanh", of_inputs(write, h, rest[1].data, rest[2].data))
    return [h, *(write("Unsqueeze", state, write.ints([0])) for state in states)][
        : len(layer.layer_param.top)
    ]


def _part(write: Operators, z: str, start: int, end: int) -> str:
    """These steps of z."""
    return write("Slice", z, write.ints([start]), write.ints([end]), write.ints([0]))


@converts("LSTMUnit")
def lstm_unit(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    cont = write("Unsqueeze", bottoms[2], write.ints([2]))
    h, c = lstm_step(write, bottoms[1], cont, ["", bottoms[0]])
    return [c, h]


def of_inputs(write: Operators, x: str, weights: np.ndarray, bias: np.ndarray) -> str:
    """T x N x rows: weights times each step's inputs, plus bias."""
    product = write("MatMul", write.reshape(x, 0, 0, weights.shape[1]), write.floats(weights.T))
    return write("Add", product, write.floats(bias))


def zeros(write: Operators, z: str, size: int) -> str:
    """N x size."""
    shape = write("Concat", write.dims(z, 1, 2), write.ints([size]), axis=0)
    return write("Expand", write.floats(0), shape)


def lstm_step(write: Operators, z: str, cont: str | None, states: Sequence[str]) -> list[str]:
    i, f, o, g = write.many("Split", 4, z, axis=-1)
    kept = write("Mul", write("Sigmoid", f), states[1])
    if cont:
        kept = write("Mul", cont, kept)
    c = write("Add", kept, write("Mul", write("Sigmoid", i), write("Tanh", g)))
    return [write("Mul", write("Sigmoid", o), write("Tanh", c)), c]


def rnn_step(write: Operators, z: str, cont: str | None, states: Sequence[str]) -> list[str]:
    return [write("Tanh", z)]


def steps(
    write: Operators, z: str, cont: str | None, states: Sequence[str], weights: np.ndarray, step: Step
) -> list[str]:
    """The states behind the last step, and h of every step, T x N x D. weights: of what h adds to z."""
    hidden = write.floats(weights.T)
    inner = Operators(onnx.GraphProto(name=f"{write.scope}: one step"), write.fresh(f"{write.scope}:step"))
    before = [f"{inner.scope}:before {i}" for i in range(len(states))]
    scanned = {f"{inner.scope}:z": z} | ({f"{inner.scope}:cont": cont} if cont else {})
    own = list(scanned)
    own_cont = own[1] if cont else None
    h = inner("Mul", own_cont, before[0]) if own_cont else before[0]
    behind = step(inner, inner("Add", own[0], inner("MatMul", h, hidden)), own_cont, before)

    def described(names: Sequence[str]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]) for name in names]

    inner.graph.input.extend(described([*before, *scanned]))
    inner.graph.output.extend(described([*behind, inner("Identity", behind[0])]))
    return write.many(
        "Scan",
        len(states) + 1,
        *states,
        *scanned.values(),
        body=inner.graph,
        num_scan_inputs=len(scanned),
    )
