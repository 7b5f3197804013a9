"""BoxAnnotatorOHEM against plain loops: who is kept, ties, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32


def layer(params: str) -> str:
    return f'type: "BoxAnnotatorOHEM" box_annotator_ohem_param {{ {params} }}'


def naive(rois, losses, labels, weights, most, ignore):
    """One RoI after the other: kept if fewer than `most` of its image come before it."""
    kept_labels, kept_weights = np.full(labels.shape, ignore, F), np.zeros(weights.shape, F)
    for r, loss in enumerate(losses):
        before = 0
        for other, other_loss in enumerate(losses):
            same = int(rois[other, 0]) == int(rois[r, 0])
            before += same and (other_loss > loss or (other_loss == loss and other < r))
        if before < most:
            kept_labels[r], kept_weights[r] = labels[r], weights[r]
    return kept_labels, kept_weights


def inputs(rows, images, columns, values=1000):
    rng = np.random.RandomState(5)
    rois = np.column_stack([rng.randint(0, images, rows), rng.uniform(0, 50, (rows, 4))]).astype(F)
    losses = (rng.randint(0, values, rows) / 8).astype(F)
    return rois, losses, rng.randint(0, 5, rows).astype(F), rng.uniform(0.1, 1, (rows, columns)).astype(F)


@pytest.mark.parametrize("most, ignore, values", [(6, -1, 1000), (9, 7, 4), (100, -1, 4), (1, -1, 1)])
def test_against_plain_loops(most, ignore, values):
    bottoms = inputs(37, 3, 8, values)
    tops = Runner(layer(f"roi_per_img: {most} ignore_label: {ignore}"), bottoms, tops=2).forward()
    for top, want in zip(tops, naive(*bottoms, most, ignore), strict=True):
        np.testing.assert_array_equal(top, want)


def test_equal_losses_go_in_their_order():
    rois = np.zeros((40, 5), F)
    labels = np.arange(1, 41, dtype=F)
    bottoms = [rois, np.full(40, 0.5, F), labels, np.ones((40, 4), F)]
    kept, _ = Runner(layer("roi_per_img: 3"), bottoms, tops=2).forward()
    np.testing.assert_array_equal(kept, [1, 2, 3, *[-1] * 37])


def test_rois_on_a_map():
    """R x 5 x H x W: each place of each row is a RoI."""
    rois, losses, labels, weights = inputs(2 * 3 * 4, 2, 6, 9)
    wide = [
        array.reshape(2, 12, -1).transpose(0, 2, 1).reshape(2, -1, 3, 4)
        for array in (rois, losses, labels, weights)
    ]
    tops = Runner(layer("roi_per_img: 5"), wide, tops=2).forward()
    want = naive(rois, losses, labels, weights, 5, -1)
    for top, flat in zip(tops, want, strict=True):
        np.testing.assert_array_equal(top.reshape(2, -1, 12).transpose(0, 2, 1).reshape(flat.shape), flat)
    assert tops[0].shape == (2, 1, 3, 4) and tops[1].shape == (2, 6, 3, 4)


def test_errors():
    rois, losses, labels, weights = inputs(7, 2, 4)
    diverged = losses.copy()
    diverged[4] = np.nan
    for params, bottoms, message in (
        ("roi_per_img: 0", [rois, losses, labels, weights], "roi_per_img is 0"),
        (
            "roi_per_img: 2",
            [rois, losses[:5], labels, weights],
            "bottom[1] has the shape (5,), bottom[0] (7, 5)",
        ),
        ("roi_per_img: 2", [rois[:, :4], losses, labels, weights], "bottom[0] has the shape (7, 4)"),
        ("roi_per_img: 2", [rois, losses, labels, weights[:6]], "bottom[3] has the shape (6, 4)"),
        ("roi_per_img: 2", [rois, diverged, labels, weights], "RoI 4 of image"),
    ):
        with pytest.raises(LayerError) as error:
            Runner(layer(params), bottoms, tops=2).forward()
        assert message in str(error.value)
