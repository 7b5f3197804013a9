"""Layers for sequences: Transpose, Reverse, ContinuationIndicator, CTCGreedyDecoder, and CTPN's Lstm."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.sequence.ctc_greedy_decoder import CTCGreedyDecoder
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import END, Operators
from caffe_compat.onnx_export.recurrent import lstm_step, of_inputs, steps, zeros


@converts("Transpose")
def transpose(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Transpose", *bottoms, perm=list(layer.layer_param.transpose_param.dim))]


@converts("Reverse")
def reverse(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    axis = layer.layer_param.reverse_param.axis % write.axes[bottoms[0]]
    return [write.reverse(bottoms[0], axis)]


@converts("ContinuationIndicator")
def continuation_indicator(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.continuation_indicator_param
    rows = np.arange(param.time_step)[:, None] > 0
    if bottoms:
        axis = param.axis % write.axes[bottoms[0]]
        shape = write("Concat", write.ints([param.time_step]), write.dims(bottoms[0], axis, axis + 1), axis=0)
        return [write("Expand", write.floats(rows), shape)]
    return [write("Identity", write.floats(np.repeat(rows, param.batch_size, axis=1)))]


@converts("CTCGreedyDecoder")
def ctc_greedy_decoder(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, CTCGreedyDecoder)
    if len(bottoms) == 3 and len(layer.layer_param.top) > 1:
        raise layer.error(
            "cannot be exported to ONNX with an accuracy; remove the third bottom and the last top"
        )
    scores = write("Transpose", write.reshape(bottoms[0], 0, 0, -1), perm=[1, 0, 2])  # N x T x C
    labels = write("ArgMax", scores, axis=2, keepdims=0)
    shown = write("Not", write("Equal", labels, write.ints(layer.blank)))
    if layer.layer_param.ctc_decoder_param.ctc_merge_repeated:
        before = write.slice(write("Pad", labels, write.ints([0, 1, 0, 0]), write.ints(-1)), 0, -1, 1)
        shown = write("And", shown, write("Not", write("Equal", labels, before)))
    going = _going(write, bottoms[1]) if len(bottoms) > 1 else None
    if going:
        shown = write("And", shown, going)
    tops = [write.four_axes(_to_the_front(write, labels, shown), 2)]
    if going and len(layer.layer_param.top) > 1:
        best = write("Mul", write("ReduceMax", scores, axes=[2], keepdims=0), write.cast(going, np.float32))
        total = write("Neg", write("ReduceSum", best, write.ints([1]), keepdims=1))
        tops.append(write.four_axes(total, 2))
    return tops


def _going(write: Operators, indicators: str) -> str:
    """N x T: whether a sequence has not ended; it does at the first 0 behind the first row."""
    rows = write("Transpose", write.reshape(indicators, 0, -1), perm=[1, 0])
    stops = write.cast(write("Equal", write.slice(rows, 1, END, 1), write.floats(0)), np.int64)
    stops = write("CumSum", write("Pad", stops, write.ints([0, 1, 0, 0])), write.ints(1))
    return write("Equal", stops, write.ints(0))


def _to_the_front(write: Operators, labels: str, shown: str) -> str:
    """N x T: those labels that are shown, and -1 behind them."""
    steps = write.dims(labels, 1, 2)
    place = write.count_up(steps)
    order = write("Where", shown, place, write("Add", place, steps))
    order = write.many("TopK", 2, order, steps, axis=1, largest=0)[1]
    kept = write("Where", shown, write.cast(labels, np.float32), write.floats(-1))
    return write("GatherElements", kept, order, axis=1)


@converts("Lstm")
def lstm(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, x = layer.layer_param.lstm_param, bottoms[0]
    is_flat = write.axes[x] == 2
    if is_flat:
        x = write.reshape(x, -1, param.batch_size, layer.blobs[0].shape[1])
    z = of_inputs(write, x, layer.blobs[0].data, layer.blobs[2].data)
    cont = None
    if len(bottoms) > 1:
        shape = write("Concat", write.dims(z, 0, 2), write.ints([1]), axis=0)
        cont = write.cast(write.cast(write("Reshape", bottoms[1], shape), bool), np.float32)
    states = [zeros(write, z, param.num_output)] * 2
    h = steps(write, z, cont, states, layer.blobs[1].data, lstm_step)[-1]
    return [write.reshape(h, -1, param.num_output) if is_flat else h]
