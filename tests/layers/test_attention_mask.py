"""AttentionMask: equal numbers, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

WINDOWS = 'type: "SlidingWindowIndex" sliding_window_param'


def places(*values):
    return np.reshape(np.array(values, float), (1, 1, 1, -1))


def test_of_equal_chances_the_last_place_comes_first():
    bottoms = [places(0.7, 0.2, 0.7, 0.9, 0.7), places(0, 1, 0, 0, 0)]
    top = Runner('type: "ArgMaxMy" argmax_param { axis: -1 }', bottoms).forward()[0]
    assert top.ravel().tolist() == [3, 4, 2, 0]


def test_a_thousand_places_at_least():
    rng = np.random.RandomState(1)
    chances = rng.permutation(1200).reshape(1, 1, 1, -1)
    text = 'type: "ArgMaxAll" argmax_param { axis: -1 top_k: 5 }'
    top = Runner(text, [chances, np.full(chances.shape, 1190)]).forward()[0]
    np.testing.assert_array_equal(chances.ravel()[top.ravel().astype(int)], np.arange(1199, 199, -1))
    runner = Runner(text, [chances[..., :900], chances[..., :900]])  # built, and then too small
    with pytest.raises(LayerError, match="900 places, of which 1000 are taken; make the image larger"):
        runner.forward()


def test_the_earlier_of_equal_scores():
    bottoms = [np.arange(4.0)[:, None], np.array([0.3, 0.5, 0.3, 0.3]), np.zeros(3)]
    for type in ("TopK", "TopKOld"):
        top, rows = Runner(f'type: "{type}"', bottoms, 2).forward()
        assert top.ravel().tolist() == rows.ravel().tolist() == [0, 1, 2]


def test_scores_come_later_than_the_net_is_built():
    """As behind a Python layer that has one row until it has seen its bottoms."""
    runner = Runner('type: "TopK"', [np.ones((5, 2)), np.ones(1), np.ones(3)])
    with pytest.raises(LayerError, match=r"bottom\[0\] has the shape \(5, 2\), its scores \(1,\)"):
        runner.forward()
    runner.feed([np.ones((5, 2)), np.ones(5), np.ones(3)])
    assert runner.forward()[0].shape == (3, 2)


@pytest.mark.parametrize(
    "text, bottoms, tops, message",
    [
        ('type: "CheckAtt"', [np.zeros((1, 1, 1, 2)), np.zeros((1, 1, 1, 3))], 2, "expected the same"),
        ('type: "ArgMaxMy" argmax_param { axis: 1 }', [places(1, 2)] * 2, 1, "axis is 1; expected 3"),
        ('type: "ArgMaxMy" argmax_param { axis: 3 }', [places(1, 2), places(1)], 1, "2 places, bottom.1. 1"),
        ('type: "ArgMaxMy"', [np.zeros((1, 2, 1, 2))] * 2, 1, r"expected \(1, 1, 1, places\)"),
        ('type: "ConvertIndices"', [np.zeros((1, 2)), places(1, 2)], 2, r"expected \(1, 1, 1, places\)"),
        (
            'type: "ConvertIndices"',
            [places(0, 2), places(1, 2)],
            2,
            "bottom.0. has 2; expected a place from 0 to 1",
        ),
        ('type: "FlagsToIndices"', [places(0, 2)], 1, "the flag of place 1 is 2"),
        ('type: "SplitIndices"', [places(0, 2), places(1), places(3, 4)], 2, "has 2 places, the others"),
        ('type: "SplitIndices"', [places(0, 2), places(1, 2)], 2, "a top for each bottom but the first"),
        (
            f"{WINDOWS} {{ window_h: 4 window_w: 3 }}",
            [np.zeros((1, 1, 2, 2)), places(*range(9))],
            1,
            "must be even",
        ),
        (
            f"{WINDOWS} {{ window_h: 4 window_w: 2 }}",
            [np.zeros((1, 1, 2, 2)), places(0, 1)],
            1,
            "3 x 3 places",
        ),
        (
            f"{WINDOWS} {{ window_h: 4 window_w: 2 }}",
            [np.zeros((2, 1, 2, 2)), places(0, 1)],
            1,
            "1 x C x H x W",
        ),
        ('type: "TopK"', [np.zeros((3, 2)), np.zeros((3, 0)), np.zeros(2)], 1, "expected one a row"),
        ('type: "TileProduct"', [np.zeros((2, 3, 4, 5)), np.zeros((2, 3, 4, 5))], 1, "N x 1 x H x W"),
        ('type: "NormalizedSigmoidCrossEntropyLoss"', [np.zeros((2, 3))] * 2, 1, "expected N x C x H x W"),
    ],
)
def test_what_is_wrong(text, bottoms, tops, message):
    with pytest.raises(LayerError, match=message):
        Runner(text, bottoms, tops).forward()
