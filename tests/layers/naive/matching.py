"""Person search's matching."""

from __future__ import annotations

import numpy as np

from layers.naive.given import Given, like


def scores(given: Given, kept: int) -> np.ndarray:
    rows, table = given.bottom[0].reshape(len(given.bottom[0]), -1), given.blobs[0]
    assert table.shape == (kept, rows.shape[1])
    return np.array([[sum(a * b for a, b in zip(row, one, strict=True)) for one in table] for row in rows])


def labeled(given: Given) -> list[np.ndarray]:
    classes, labels = given.param.labeled_matching_param.num_classes, given.bottom[1]
    known = [v if 0 <= int(v) < classes else -1 for v in labels.flat]
    return [scores(given, classes), like(known, labels)]


NAIVE = {
    "LabeledMatching": labeled,
    "UnlabeledMatching": lambda given: [scores(given, given.param.unlabeled_matching_param.queue_size)],
}
