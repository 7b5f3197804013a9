"""Layers for sequences: their axes, Lstm, and connectionist temporal classification, by trying all paths."""

from __future__ import annotations

import itertools
import math

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import SRNNFormatParameter
from layers.naive.given import Given, taken
from layers.recurrent import recurrence


def reverse(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    axis = range(x.ndim)[given.param.reverse_param.axis]
    return [taken(x.shape, lambda at: x[(*at[:axis], x.shape[axis] - 1 - at[axis], *at[axis + 1 :])])]


def transpose(given: Given) -> list[np.ndarray]:
    (x,), order = given.bottom, list(given.param.transpose_param.dim)
    shape = [x.shape[axis] for axis in order]
    return [taken(shape, lambda at: x[tuple(at[order.index(axis)] for axis in range(x.ndim))])]


def continuation_indicator(given: Given) -> list[np.ndarray]:
    param = given.param.continuation_indicator_param
    count = given.bottom[0].shape[param.axis] if given.bottom else param.batch_size
    return [np.array([[min(t, 1)] * count for t in range(param.time_step)])]


def lstm(given: Given) -> list[np.ndarray]:
    x, param = given.bottom[0], given.param.lstm_param
    shape = (*x.shape[:2], param.num_output)
    if x.ndim == 2:
        shape = len(x), param.num_output
        x = x.reshape(-1, param.batch_size, x.shape[1])
    x = x.reshape(*x.shape[:2], -1)
    cont = [[min(t, 1)] * x.shape[1] for t in range(len(x))] if len(given.bottom) == 1 else given.bottom[1]
    w_x, w_h, bias = given.blobs
    nothing = np.zeros((x.shape[1], param.num_output))
    top, _ = recurrence.lstm(x, cont, None, [w_x, bias, w_h], nothing, nothing)
    return [top.reshape(shape)]


def softmax(row) -> list[float]:
    exps = [math.exp(v) for v in row]
    return [e / sum(exps) for e in exps]


def collapsed(path, blank: int, merge: bool) -> list[int]:
    runs = [c for c, _ in itertools.groupby(path)] if merge else path
    return [c for c in runs if c != blank]


def cost(scores, wanted: list[int], blank: int, merge: bool = True) -> float:
    """-log of the sum of the probabilities of all paths that show the labels."""
    y = [softmax(row) for row in scores]
    paths = itertools.product(range(len(y[0])), repeat=len(y))
    return -math.log(
        sum(
            math.prod(step[c] for step, c in zip(y, path, strict=True))
            for path in paths
            if collapsed(path, blank, merge) == wanted
        )
    )


def until(values, is_end) -> list:
    return list(itertools.takewhile(lambda value: not is_end(value), values))


def warp_ctc(given: Given) -> list[np.ndarray]:
    (scores, labels), param = given.bottom, given.param.ctc_loss_param
    if given.param.HasField("ctc_loss_param"):
        assert param.alphabet_size == scores.shape[2]
        scores = scores[: param.time_step]
    wanted = [[int(label) for label in row if label != param.blank_label] for row in labels]
    costs = [cost(scores[:, n], row, param.blank_label) for n, row in enumerate(wanted)]
    return [np.array(sum(costs) / len(costs))]


def warp_ctc_of_chwick(given: Given) -> list[np.ndarray]:
    (scores, *others), param = given.bottom, given.param.ctc_loss_param
    blank = param.blank_index if param.HasField("blank_index") else 0
    costs = []
    for n in range(scores.shape[1]):
        steps = len(scores)
        if len(others) == 1:
            wanted = [int(label) for label in others[0][n] if label != blank]
        elif len(others) == 2:
            steps = 1 + len(until(others[0][1:, n], lambda value: value == 0))
            wanted = [int(label) for label in until(others[1][:, n], lambda value: value < 0)]
        else:
            steps = int(others[0][n])
            wanted = [int(label) for label in others[2][: int(others[1][n]), n]]
        costs.append(cost(scores[:steps, n], wanted, blank))
    return [np.array(sum(costs) / len(costs))]


def ctc(given: Given) -> list[np.ndarray]:
    (scores, going, labels), param = given.bottom, given.param.ctc_loss_param
    total, blank = 0.0, param.blank_index % scores.shape[2]
    for n in range(scores.shape[1]):
        steps = 1 + len(until(going[1:, n].ravel(), lambda value: value == 0))
        wanted = [int(label) for label in until(labels[:, n].ravel(), lambda value: value < 0)]
        if param.preprocess_collapse_repeated:
            wanted = [label for label, _ in itertools.groupby(wanted)]
        shown = scores[param.output_delay : steps, n].reshape(-1, scores.shape[2])
        total += cost(shown, wanted, blank, param.ctc_merge_repeated)
    return [np.array(total / scores.shape[1])]


def greedy_decoder(given: Given) -> list[np.ndarray]:
    (scores, *others), param = given.bottom, given.param.ctc_decoder_param
    steps, streams, classes = scores.shape[:3]
    going, *right = others or [np.ones((steps, streams))]
    labels, totals, hits = np.full((streams, steps, 1, 1), -1.0), np.zeros((streams, 1, 1, 1)), 0
    for n in range(streams):
        end = 1 + len(until(going[1:, n].ravel(), lambda value: value == 0))
        path = [max(range(classes), key=lambda c: float(scores[t, n, c].squeeze())) for t in range(end)]
        found = collapsed(path, param.blank_index % classes, param.ctc_merge_repeated)
        labels[n, : len(found), 0, 0] = found
        totals[n] = -sum(float(scores[t, n, c].squeeze()) for t, c in enumerate(path))
        if right:
            wanted = until(right[0][:, n].ravel(), lambda value: value < 0)
            hits += found[: len(wanted)] == wanted
    accuracy = np.full((1, 1, 1, 1), hits / streams)
    return [labels, *([totals] if given.tops > 1 + len(right) else []), *([accuracy] * len(right))]


def greedy_accuracy(given: Given) -> list[np.ndarray]:
    (scores, labels), param = given.bottom, given.param.ctc_decoder_param
    blank, wrong, right = param.blank_index % scores.shape[2], 0.0, 0
    for n in range(scores.shape[1]):
        path = [max(range(scores.shape[2]), key=lambda c: float(step[n, c].squeeze())) for step in scores]
        read = collapsed(path, blank, param.ctc_merge_repeated)
        wanted = [int(v) for v in until(labels[n].ravel(), lambda value: value < 0) if v != blank]
        if read or wanted:
            wrong += edits(read, wanted)[0] / max(len(read), len(wanted))
            right += read == wanted
    return [np.reshape([1 - wrong / scores.shape[1], right / scores.shape[1]], (1, 2, 1, 1))]


def labelsequence_accuracy(given: Given) -> list[np.ndarray]:
    (scores, labels), blank = given.bottom, given.param.labelsequence_accuracy_param.blank_label
    hits = 0
    for steps, row in zip(scores.tolist(), labels.tolist(), strict=True):
        path = [step.index(max(step)) for step in steps]
        hits += collapsed(path, blank, True) == [label for label in row if label != blank]
    return [np.array(hits / len(scores))]


def edits(a: list, b: list) -> tuple[int, int]:
    """The fewest edits, and how many labels are equal on their way, from the end of both on."""
    if not a or not b:
        return len(a) + len(b), 0
    diagonal, above, left = edits(a[:-1], b[:-1]), edits(a[:-1], b), edits(a, b[:-1])
    same = a[-1] == b[-1]
    costs = diagonal[0] + (not same), above[0] + 1, left[0] + 1
    if costs[0] < costs[1] and costs[0] < costs[2]:
        return costs[0], diagonal[1] + same
    if costs[1] <= costs[0] and costs[1] < costs[2]:
        return costs[1], above[1]
    return costs[2], left[1]


def sequence_accuracy(given: Given) -> list[np.ndarray]:
    blank = given.param.Sequence_accuracy_param.blank_label
    right = [until(row, lambda value: value < 0) for row in given.bottom[1].tolist()]
    if given.bottom[0].ndim == 3:
        paths = [[step.index(max(step)) for step in steps] for steps in given.bottom[0].tolist()]
        read = [collapsed(path, blank, True) for path in paths]
        right = [[label for label in row if label != blank] for row in right]
    else:
        read = [until(row, lambda value: value < 0) for row in given.bottom[0].tolist()]
    n, pairs = len(read), list(zip(read, right, strict=True))
    counts = [edits(a, b) for a, b in pairs]
    lengths = sum(len(b) for b in right) / n, sum(len(a) for a in read) / n
    tops = [
        np.array(sum(a == b for a, b in pairs) / n),
        np.array([sum(distance for distance, _ in counts) / n, *lengths]),
        np.array(sum(same for _, same in counts) / n),
    ]
    return tops[: given.tops]


def srnn_format(given: Given) -> list[np.ndarray]:
    x = given.bottom[0]
    if given.param.srnnformat_param.operation == SRNNFormatParameter.UNFORMAT:
        (width, streams, channels), height = x.shape, int(given.bottom[1])
        maps = taken(
            (streams // height, channels, height, width), lambda at: x[at[3], at[0] * height + at[2], at[1]]
        )
        return [maps]
    num, channels, height, width = x.shape
    rows = taken((width, num * height, channels), lambda at: x[at[1] // height, at[2], at[1] % height, at[0]])
    return [rows, taken(rows.shape[:2], lambda at: float(at[0] > 0)), np.array(float(height))]


NAIVE = {
    "SRNNFormat": srnn_format,
    "CTCGreedyAccuracy": greedy_accuracy,
    "CTCGreedyDecoder": greedy_decoder,
    "CTCLoss": ctc,
    "ContinuationIndicator": continuation_indicator,
    "CtcLoss": warp_ctc,
    "WarpCTCLoss": warp_ctc_of_chwick,
    "LabelsequenceAccuracy": labelsequence_accuracy,
    "Lstm": lstm,
    "Reverse": reverse,
    "SequenceAccuracy": sequence_accuracy,
    "Transpose": transpose,
}
