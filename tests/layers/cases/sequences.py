"""Layers for sequences: their axes, Lstm, and connectionist temporal classification."""

from __future__ import annotations

import numpy as np

from layers.cases.shared import FILLERS, IMAGE, OTHER_IMAGE
from layers.harness import Case, labels, normal, starts


def going(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """T x N: the sequences start in the first row and go on; the last one ends a step before the others."""
    values = np.ones(shape)
    values[0], values[-1, -1] = 0, 0
    return values


def label_columns(count: int, first: int, classes: int):
    """T x N: whole numbers from `first` to classes - 1 in the first rows, each one twice on end; then -1."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        values = np.full(shape, -1)
        values[:count] = np.repeat(rng.randint(first, classes, (count, *shape[1:])), 2, axis=0)[:count]
        return values

    return fill


def counts(*values: int):
    """These numbers."""
    return lambda rng, shape: np.reshape(values, shape)


def labels_or_end(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Whole numbers from -1, the end, to 2; those of the last sequence are all 1."""
    values = rng.randint(-1, 3, shape)
    values[-1] = 1
    return values


def steps_of_three_classes(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """N x T x C: the best class is 1, 1, 2, 0 in the first steps, then 0."""
    values = rng.uniform(0, 0.5, shape)
    for t in range(shape[1]):
        values[:, t, (1, 1, 2, 0)[t] if t < 4 else 0] = 1
    return values


def right_or_not(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """N x 4 labels: right where 2 is the blank, where 0 is, and never."""
    values = np.resize([[1, 2, 2, 0], [1, 2, 0, 0], [1, 0, 1, 2]], shape)
    return np.roll(values, 1, axis=0)


SUM = "as in the original, the gradient is that of the sum over the sequences"

CASES = [
    Case('type: "SRNNFormat"', [(2, 3, 4, 5)], [(3, 2, 5, 1)], tops=3, diff_tops=[0]),
    Case(
        'type: "SRNNFormat" srnnformat_param { operation: UNFORMAT }',
        [(5, 8, 3), ()],
        [(2, 12, 1), ()],
        fills=[normal, counts(4)],
    ),
    *(
        Case(f'type: "Reverse" {params}', [IMAGE], [OTHER_IMAGE])
        for params in ("", "reverse_param { axis: 2 }", "reverse_param { axis: -1 }")
    ),
    *(
        Case(f'type: "Transpose" transpose_param {{ {order} }}', [(2, 3, 4, 5)], [(3, 1, 6, 2)])
        for order in ("dim: 2 dim: 3 dim: 1 dim: 0", "dim: 0 dim: 2 dim: 3 dim: 1")
    ),
    Case(
        'type: "ContinuationIndicator" continuation_indicator_param { time_step: 4 batch_size: 3 }',
        [],
        gradient=False,
        note="has no bottoms",
    ),
    Case(
        'type: "ContinuationIndicator" continuation_indicator_param { time_step: 4 axis: 1 }',
        [(2, 3, 5)],
        [(4, 2, 3)],
        gradient=False,
        note="only the shape of its bottom counts",
    ),
    Case(f'type: "Lstm" lstm_param {{ num_output: 4 {FILLERS} }}', [(5, 2, 3)], [(4, 6, 3)]),
    Case('type: "Lstm" lstm_param { num_output: 2 }', [(4, 3, 5, 1)], [(6, 2, 1, 5)]),
    Case('type: "Lstm" lstm_param { num_output: 3 batch_size: 2 }', [(8, 5)], [(6, 5)]),
    *(
        Case(
            f'type: "Lstm" lstm_param {{ num_output: 4 {params} }}',
            [(5, 2, 3), (5, 2)],
            [(4, 6, 3), (4, 6)],
            fills=[normal, starts],
            gradient=False,
            note="as in the original, W_h's is not the slope where a sequence begins, nor any that is cut",
        )
        for params in ("", "clipping_threshold: 0.1")
    ),
    *(
        Case(
            f'type: "CtcLoss" {params}',
            [(6, streams, 5), (streams, 3)],
            [(4, streams + 2, 5), (streams + 2, 2)] if not params else (),
            fills=[normal, labels(5)],
            gradient=streams == 1,
            note="" if streams == 1 else SUM,
        )
        for params in ("", "ctc_loss_param { alphabet_size: 5 time_step: 5 blank_label: 3 }")
        for streams in (1, 2)
    ),
    *(
        Case(
            f'type: "WarpCTCLoss" {params}',
            [(6, 2, 4), *shapes],
            others,
            fills=[normal, *fills],
            gradient=False,
            note=f"{SUM}, and knows no loss weight",
        )
        for params, shapes, others, fills in (
            ("", [(2, 3)], [(7, 3, 5), (3, 2)], [labels(4)]),
            ("ctc_loss_param { blank_index: 3 }", [(2, 3)], [], [labels(4)]),
            ("", [(6, 2), (6, 2)], [], [going, label_columns(2, 1, 4)]),
            ("", [(2,), (2,), (3, 2)], [], [counts(5, 6), counts(2, 1), label_columns(2, 1, 4)]),
        )
    ),
    *(
        Case(
            f'type: "CTCLoss" ctc_loss_param {{ {params} }}',
            [(6, 2, 4), (6, 2), (6, 2)],
            [(5, 3, 6, 1), (5, 3, 1, 1), (5, 3)],
            fills=[normal, going, label_columns(count, first, 3 + first)],
            gradient=False,
            note=f"{SUM}, and knows no loss weight",
        )
        for params, first, count in (
            ("", 0, 3),
            ("blank_index: 0", 1, 2),
            ("output_delay: 1", 0, 2),
            ("preprocess_collapse_repeated: true", 0, 3),
            ("ctc_merge_repeated: false", 0, 3),
        )
    ),
    *(
        Case(
            f'type: "CTCGreedyDecoder" ctc_decoder_param {{ {params} }}',
            [(6, 2, 3), *[(6, 2)] * (bottoms - 1)],
            [(5, 4, 2, 1), *[(5, 4)] * (bottoms - 1)],
            fills=[normal, going, labels_or_end][:bottoms],
            tops=tops,
            gradient=False,
            note="choices, forward only",
        )
        for params, bottoms, tops in (
            ("blank_index: 1", 1, 1),
            ("", 2, 1),
            ("", 2, 2),
            ("blank_index: 0", 3, 2),
            ("ctc_merge_repeated: false", 3, 3),
        )
    ),
    *(
        Case(
            f'type: "CTCGreedyAccuracy" ctc_decoder_param {{ {params} }}',
            [(5, 3, 4), (3, 4)],
            [(6, 2, 3, 1), (2, 5, 1, 1)],
            fills=[normal, labels_or_end],
            gradient=False,
            note="choices, forward only",
        )
        for params in ("", "blank_index: 0", "blank_index: 0 ctc_merge_repeated: false")
    ),
    *(
        Case(
            f'type: "LabelsequenceAccuracy" labelsequence_accuracy_param {{ {params} }}',
            [(4, 5, 3), (4, 4)],
            [(3, 6, 4), (3, 4)],
            fills=[steps_of_three_classes, right_or_not],
            gradient=False,
            note="choices, forward only",
        )
        for params in ("", "blank_label: 2")
    ),
    *(
        Case(
            f'type: "SequenceAccuracy" Sequence_accuracy_param {{ {params} }}',
            [(4, 5, 3), (4, 4)],
            [(3, 6, 4), (3, 4)],
            fills=[steps_of_three_classes, right_or_not],
            tops=tops,
            gradient=False,
            note="choices, forward only",
        )
        for params, tops in (("", 1), ("blank_label: 2", 3))
    ),
    *(
        Case(
            'type: "SequenceAccuracy"',
            [(7, 5), (7, 6)],
            [(4, 6), (4, 3)],
            fills=[labels_or_end, labels_or_end],
            tops=tops,
            gradient=False,
            note="choices, forward only",
        )
        for tops in (1, 2, 3)
    ),
]
