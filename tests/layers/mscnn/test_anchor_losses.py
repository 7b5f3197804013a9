"""DetectionLoss and DetectionGroupLoss: gradients, sampling by random numbers, numbers by hand, and wrong params."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.mscnn.detection_group_loss import DetectionGroupLoss
from caffe_compat.layers.mscnn.detection_loss import DetectionLoss
from caffe_compat.rng import Rng, set_random_seed
from layers.cases.mscnn import CASES, maps_of_truth
from layers.gradient import check_gradient
from layers.harness import Runner

LOSSES = [
    case for case in CASES if case.type in ("DetectionLoss", "DetectionGroupLoss") and "cls_num" in case.layer
]


def only_the_loss(cls):
    """The layer with its second number, which has no gradient, at 0."""

    class OnlyTheLoss(cls):
        def forward(self, bottom, top):
            super().forward(bottom, top)
            top[0].data[..., 1] = 0

    return OnlyTheLoss


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
def test_gradient(case):
    """Of the first number, where no offset is clipped."""
    far = case.layer.replace("field_whr: 1.3", "field_whr: 1e6").replace("field_xyr: 3", "field_xyr: 1e-6")
    if case.type == "DetectionLoss" and "field_whr" not in far:
        far = far.replace("downsample_rate", "field_whr: 1e6 field_xyr: 1e-6 downsample_rate")
    cls = DetectionLoss if case.type == "DetectionLoss" else DetectionGroupLoss
    check_gradient(replace(case, layer=far), only_the_loss(cls))


def one_place(truth, prediction, params="", cls_num=2):
    """DetectionLoss at a single place, whose field of 10 x 20 is around (4, 4)."""
    text = f'cls_num: {cls_num} field_w: 10 field_h: 20 downsample_rate: 8 sample_mode: "all" {params}'
    bottoms = [np.array(values, np.float32).reshape(1, -1, 1, 1) for values in (prediction, truth)]
    return Runner(f'type: "DetectionLoss" detection_loss_param {{ {text} }}', bottoms)


def test_by_hand():
    """Equal scores cost log 2; offsets 0.1 (half of its square), 2 (less a half), 0 and 0, a mean of four."""
    runner = one_place([1, 5, 4, 10, 20, 0.8], [3, 3, 0.2, 0.4, 0, 0], "lambda: 2 field_xyr: 0.5")
    boxes = 2 * (0.5 * 0.1**2 + 0.5 * 0.4**2) / 4
    np.testing.assert_allclose(runner.forward()[0].ravel(), [np.log(2) + boxes, boxes], rtol=1e-5)
    runner = one_place([1, -16, 4, 10, 20, 0.8], [3, 3, 0, 0, 0, 0], "field_xyr: 0.5")  # d is 2: 1.5
    np.testing.assert_allclose(runner.forward()[0].ravel()[1], 1.5 / 4, rtol=1e-5)


def test_a_clipped_offset_gets_the_gradient_of_the_clipped_one():
    runner = one_place([1, 4, 4, 10, 20, 0.8], [3, 3, 0.9, 0, 0, 0])  # clipped to 1/2
    runner.forward()
    (diff, _) = runner.backward([np.array([[[[1, 0]]]])])
    np.testing.assert_allclose(diff[0, 2:, 0, 0], [0.5 / 4, 0, 0, 0], rtol=1e-6)


def test_no_sampled_background_is_no_nan():
    """Where all of class 0 is left out, the original divides by 0."""
    runner = one_place([1, 4, 4, 10, 20, 0.8], [1, 2, 0, 0, 0, 0], "pos_neg_weighted: true")
    assert np.isfinite(runner.forward()[0]).all()
    assert np.isfinite(runner.backward([np.ones((1, 1, 1, 2))])[0]).all()


@pytest.mark.parametrize("mining", ["random", "mixture"])
def test_the_group_loss_draws_from_its_own_stream(mining):
    """The loss of the classes is the mean over the places that the stream leaves."""
    rng = np.random.RandomState(2)
    scores, offsets = rng.standard_normal((2, 2, 3, 5)), np.zeros((2, 4, 3, 5))
    truth = maps_of_truth(2, 8, 0.4)(rng, (2, 6, 3, 5))
    truth[:, 5] *= 0.6
    text = f'cls_num: 2 field_w: 20 field_h: 20 stride: 8 batch_size: 6 bg_multiple: 2 neg_mining_type: "{mining}"'
    set_random_seed(5)
    runner = Runner(
        f'type: "DetectionGroupLoss" detection_group_loss_param {{ {text} }}', [scores, offsets, truth]
    )
    stream, costs = Rng(Rng(5).draw()), []
    for n in range(2):
        label, overlap = truth[n, 0].ravel(), truth[n, 5].ravel()
        prob = np.exp(scores[n]).reshape(2, -1) / np.exp(scores[n]).reshape(2, -1).sum(axis=0)
        front, behind = np.flatnonzero(label > 0), np.flatnonzero((label == 0) & (overlap < 0.5))
        assert len(front) > 2 and len(behind) > 4
        stream.shuffle(front)
        hard = behind[np.argsort(prob[0, behind])[: 2 if mining == "mixture" else 0]]
        rest = np.array([p for p in behind if p not in hard])
        stream.shuffle(rest)
        for p in [*front[:2], *hard, *rest[: 4 - len(hard)]]:
            costs.append(-np.log(prob[int(label[p]), p]))
    total, boxes = runner.forward()[0].ravel()
    np.testing.assert_allclose(total - boxes, np.mean(costs), rtol=1e-5)
    state, again = runner.layer.get_state(), runner.forward()[0]
    runner.layer.set_state(state)
    np.testing.assert_array_equal(runner.forward()[0], again)


def test_rankings_agree():
    case = LOSSES[7]
    bottoms = case.bottoms(np.random.RandomState(1))
    by_loss, by_prob = (
        Runner(
            case.layer.replace("stride: 8", f'stride: 8 neg_ranking_type: "{ranking}"'), bottoms
        ).forward()[0]
        for ranking in ("conf_loss", "conf_prob")
    )
    np.testing.assert_array_equal(by_prob, by_loss)


@pytest.mark.parametrize(
    ("case", "old", "new", "message"),
    [
        (
            0,
            "cls_num: 3",
            "cls_num: 3 coord_num: 5",
            "coord_num is 5 and cls_num 3; expected 4, and 2 or more",
        ),
        (0, "cls_num: 3", "cls_num: 4", r"bottom\[0\] has the shape \(2, 7, 5, 6\); expected \(2, 8, 5, 6\)"),
        (0, "cls_num: 3", "cls_num: 3 objectness: true", "objectness needs cls_num 2, found 3"),
        (0, "field_w: 20", "", "there are the fields field_w"),
        (
            4,
            "objectness: true",
            "",
            r"the ground truth has class 2 at \(\d, \d, \d\) \(row, y, x\); there are classes 0 to 1",
        ),
        (6, '"bootstrap"', '"hard"', "neg_mining_type is 'hard'; expected one of random, bootstrap, mixture"),
        (6, "stride: 8", "stride: 8 batch_size: 0", "batch_size is 0; expected a number above 0, or -1"),
        (6, "field_w: 20", "", "give as many of both"),
        (
            6,
            "stride: 8",
            "stride: 8 field_w: 9 field_h: 9",
            "bottom.0. has 4 rows; expected 3 for each image",
        ),
        (6, "cls_num: 3", "cls_num: 2", r"bottom\[0\] has the shape \(4, 3, 5, 6\); expected \(4, 2, 5, 6\)"),
    ],
)
def test_errors(case, old, new, message):
    case = LOSSES[case]
    assert old in case.layer
    with pytest.raises(LayerError, match=message):
        Runner(case.layer.replace(old, new), case.bottoms(np.random.RandomState(1))).forward()
