"""Arroosh's softmax of many pixels."""

from __future__ import annotations

from layers.harness import Case, labels, normal


def from_one(rng, shape):
    return labels(4)(rng, shape) + 1


CASES = [
    *(
        Case(
            f"type: 'MultiSoftmax' {param}",
            [(2, 4, 3, 5)],
            [(3, 4, 2, 6)],
            gradient="7" not in param,
            note="the top stands for the softmax in the gradient; test_multi_softmax.py",
        )
        for param in ("", "mult_softmax_param { max_multiple: 7 }")
    ),
    *(
        Case(
            f"type: 'MultiSoftmaxLoss' {params}",
            [(2, 4, 3, 5), (2, 15)],
            [(3, 4, 2, 6), (3, 1, 2, 6)],
            fills=[normal, from_one],
            tops=2,
            diff_tops=[0],
            gradient=False,
            note="whatever the loss weight; test_multi_softmax.py",
        )
        for params in (
            "",
            "mult_softmax_param { max_multiple: 3 } mult_softmax_loss_param { learning_multiple: 2 }",
        )
    ),
]
