"""ProposalTarget: what is drawn, from which stream; numbers by hand; and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import Rng, caffe_rng, set_random_seed
from layers.harness import Runner

F = np.float32
TRUTH = [[0, 10, 10, 29, 49, 2, 0, 0]]


def targets(params, rois, truth=TRUTH, tops=7, more="") -> Runner:
    text = (
        f'type: "ProposalTarget" proposal_target_param {{ cls_num: 3 num_img_per_batch: 1 {params} }} {more}'
    )
    set_random_seed(4)
    return Runner(text, [np.array(rois, F), np.array(truth, F)], tops=tops)


def test_by_hand():
    """A box 20 x 40 of class 2; a RoI of half its height, and one far off."""
    rois = [[0, 10, 10, 29, 29], [0, 60, 60, 79, 99]]
    tops = targets("batch_size: -1 append_gtbox: false bg_thr_lw: 0", rois).forward()
    boxes, labels, offsets, inside, outside, match, weights = (top[..., 0, 0] for top in tops)
    assert boxes.tolist() == rois and labels.tolist() == [[2], [0]]
    want = np.zeros((2, 12))
    want[0, 8:] = [0, 0.5, 0, np.log(2)]
    np.testing.assert_allclose(offsets, want, atol=1e-6)
    assert (inside == (np.arange(12) >= 8) * [[1], [0]]).all() and (outside == inside).all()
    np.testing.assert_allclose(match, [[2, 10, 10, 29, 49, 0.5], [0] * 6])
    np.testing.assert_allclose(weights[:, 0], [0.5, 1.5])  # a quarter of two, and the rest


def test_too_many_are_drawn():
    rng = np.random.RandomState(3)
    near = np.array([0, 10, 10, 29, 49]) + np.hstack([np.zeros((9, 1)), rng.uniform(-1, 1, (9, 4))])
    far = np.array([0, 60, 60, 79, 99]) + np.hstack([np.zeros((11, 1)), rng.uniform(-1, 1, (11, 4))])
    rois = np.vstack([near, far]).astype(F)
    runner = targets("batch_size: 8 bg_thr_lw: 0 append_gtbox: false", rois, tops=6)
    stream = Rng(Rng(4).draw())
    for _ in range(2):
        foreground, background = np.arange(9), np.arange(9, 20)
        stream.shuffle(foreground)
        stream.shuffle(background)
        got = runner.forward()[0][..., 0, 0]
        np.testing.assert_allclose(got, rois[[*foreground[:2], *background[:6]]], rtol=1e-6)
    state, again = runner.layer.get_state(), runner.forward()[0]
    runner.layer.set_state(state)
    np.testing.assert_array_equal(runner.forward()[0], again)


@pytest.mark.parametrize("columns, rows", [(8, 1), (7, 5)])
def test_boxes_are_drawn_where_there_is_none(columns, rows):
    """One in Cascade R-CNN; in MS-CNN, which draws one too many, batch_size. None overlaps the ground truth."""
    truth = np.array([[0, 0, 0, 60, 60, 1, 1, 0]], F)[:, :columns]
    params = (
        "batch_size: 5 img_width: 90 img_height: 80 append_gtbox: false pickup_discard: false bg_thr_lw: 0.4"
    )
    runner = targets(params, [[0, 70, 70, 80, 80]], truth, tops=6)
    set_random_seed(9)
    stream, boxes = Rng(9), []
    while len(boxes) < rows + (columns == 7):
        stream.draw()  # the image
        x, y = stream.draw() % 58, stream.draw() % 48
        w, h = max(stream.draw() % (90 - x), 32), max(stream.draw() % (80 - y), 32)
        width, height = min(x + w, 61) - x, min(y + h, 61) - y
        common = max(width, 0) * max(height, 0)
        if common / (61 * 61 + w * h - common) < 0.5:
            boxes.append([0, x, y, x + w - 1, y + h - 1])
    got = runner.forward()
    assert got[0][..., 0, 0].tolist() == boxes[:rows] and not got[1].any()
    assert stream.draw() == caffe_rng().draw()


def test_rows_that_are_no_object_and_ignored_ones():
    truth = [[0, 10, 10, 29, 49, 2, 1, 0], [-1] * 8, [0, 60, 60, 79, 99, 0, 0, 0]]
    rois = [[0, 10, 10, 29, 49], [0, 60, 60, 79, 99], [0, 62, 60, 79, 99]]
    boxes, labels, *_ = targets("batch_size: -1 bg_thr_lw: 0", rois, truth).forward()
    assert (
        boxes[..., 0, 0].tolist() == rois[1:] and not labels.any()
    )  # the first, and the box itself, are ignored


@pytest.mark.parametrize(
    ("params", "rois", "truth", "message"),
    [
        ("batch_size: 0", [[0] * 5], TRUTH, "batch_size is 0; expected a number above 0, or -1 for all RoIs"),
        ("fg_thr: 0.3", [[0] * 5], TRUTH, r"fg_thr 0\.3 must not be below bg_thr_hg 0\.5"),
        ("", [[0] * 4], TRUTH, r"bottom\[0\] has the shape \(1, 4\); expected \(1, 5\)"),
        ("", [[0] * 5], [[0] * 5], r"bottom\[1\] has the shape \(1, 5\); expected \(1, 7\) or \(1, 8\)"),
        (
            "",
            [[1] * 5],
            TRUTH,
            "RoI 0 is of image 1; num_img_per_batch is 1, so that there are images 0 to 0",
        ),
        ("", [[0] * 5], [[2, *TRUTH[0][1:]]], "ground-truth box 0 is of image 2"),
        ("", [[0] * 5], [[0, 1, 1, 9, 9, 3, 0, 0]], "a ground-truth box has class 3; cls_num is 3"),
        ("pickup_discard: false", [[0, 1, 1, 5, 5]], [[-1] * 8], "none can be drawn in 0 x 0 pixels"),
        (
            "batch_size: 5 img_width: 33 img_height: 33 fg_thr: 0 bg_thr_hg: 0",
            [[0, 1, 1, 5, 5]],
            [[0, 0, 0, 33, 33, 1, 1]],
            "no box of background is found; is fg_thr too low",
        ),
    ],
)
def test_errors(params, rois, truth, message):
    with pytest.raises(LayerError, match=message):
        targets(params, rois, truth).forward()
