"""WeightedFmeasureLoss, PR and DiceCoefLoss: gradients that are the original's, ratios of nothing, errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LOSS = 'type: "WeightedFmeasureLoss" weighted_fmeasure_loss_param { %s }'


def bottoms(seed: int = 3) -> list[np.ndarray]:
    rng = np.random.RandomState(seed)
    x, r, p = rng.uniform(0.1, 0.9, (3, 2, 1, 3, 4))
    target = (rng.uniform(size=x.shape) < 0.5).astype(float)
    return [x, target, r, p]


@pytest.mark.parametrize("fields", ["avg_fm: true", "avg_fm: false"])
def test_the_gradient_of_recall_is_twice_the_slope_and_not_weighted(fields):
    given, weight = bottoms(), 0.7
    runner = Runner(LOSS % fields, given, dtype=np.float64)
    runner.forward()
    got = runner.backward([np.array(weight)])[0]
    rows = [blob.reshape(2 if "true" in fields else 1, -1) for blob in given]
    want = np.zeros(rows[0].shape)
    for n, (x, t, r, p) in enumerate(zip(*rows, strict=True)):
        recall, precision = (x * t * r).sum() / (t * r).sum(), (x * t * p).sum() / (x * p).sum()
        square = (recall + precision) ** 2
        of_recall = 2 * precision**2 / square * t * r / (t * r).sum()
        of_precision = 2 * recall**2 / square * p * (t - precision) / (x * p).sum()
        want[n] = -(2 * of_recall + weight * of_precision) / len(rows[0])
    np.testing.assert_allclose(got, want.reshape(got.shape), rtol=1e-6)


def test_pixels_beyond_the_margin_count_as_their_target_and_take_no_gradient():
    given = bottoms()
    given[0][0, 0, 0] = 0.65, 0.95, 0.02, 0.45
    given[1][0, 0, 0] = 1, 1, 0, 0
    runner = Runner(LOSS % "margin: 0.2", given)
    (loss,) = runner.forward()
    diff = runner.backward([np.array(1.0)])[0]
    assert (diff[0, 0, 0] != 0).tolist() == [True, False, False, True]
    given[0][0, 0, 0, 1:3] = 1, 0
    assert Runner(LOSS % "margin: 0.2", given).forward()[0] == loss


def test_ratios_of_nothing():
    tops = Runner('type: "PR"', [np.zeros((1, 3)), np.zeros((1, 3))], tops=5).forward()
    assert [float(top) for top in tops] == [0, 0, 1, 1, 0]


def test_both_bottoms_of_dice_take_a_gradient():
    a, b = np.array([[1.0, 0.5]]), np.array([[0.0, 2.0]])
    runner = Runner('type: "DiceCoefLoss"', [a, b])
    (loss,) = runner.forward()
    size = 1.25 + 4 + 1
    assert loss == pytest.approx(1 - 3 / size)
    for diff, mine, other in zip(runner.backward([np.array(2.0)]), (a, b), (b, a), strict=True):
        np.testing.assert_allclose(diff, 2 * 2 / size * (3 / size * mine - other), rtol=1e-6)


@pytest.mark.parametrize(
    "layer, shapes, tops, message",
    [
        (LOSS % "", [(2, 3)] * 3 + [(2, 4)], 1, "they need as many elements each"),
        (LOSS % "avg_fm: false", [(2, 3)] * 4, 2, "remove it, or avg_fm: false"),
        ('type: "PR"', [(2, 3), (2, 4)], 5, "bottom[0] has the shape (2, 3), bottom[1] (2, 4)"),
        ('type: "DiceCoefLoss"', [(2, 3), (2, 4)], 1, "bottom[0] has the shape (2, 3), bottom[1] (2, 4)"),
    ],
)
def test_errors(layer, shapes, tops, message):
    with pytest.raises(LayerError) as error:
        Runner(layer, [np.zeros(shape) for shape in shapes], tops=tops)
    assert message in str(error.value)
