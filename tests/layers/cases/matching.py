"""Person search's matching."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, normal

KEPT = "the params move in backward, without a gradient; metric/test_matching.py"


def people(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Labels from -1 to 6: some people are none of 4 classes."""
    values = rng.randint(-1, 7, shape)
    values.flat[0], values.flat[1] = 2, -1
    return values


CASES = [
    Case(
        f"type: '{kind}Matching' {param}",
        [features, labels],
        [(features[0] + 2, *features[1:]), (labels[0] + 2, *labels[1:])],
        fills=[normal, people],
        tops=tops,
        diff_tops=[0],
        gradient=False,
        note=KEPT,
    )
    for kind, param, tops in (
        ("Labeled", "labeled_matching_param { num_classes: 4 momentum: 0.3 }", 2),
        ("Unlabeled", "unlabeled_matching_param { queue_size: 3 }", 1),
    )
    for features, labels in (((5, 7), (5,)), ((6, 2, 4), (6, 1)))
]
