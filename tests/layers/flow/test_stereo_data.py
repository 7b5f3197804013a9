"""RandomCrop and DataSwitch of iResNet: borders, what is drawn, what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.rng import set_random_seed
from layers.harness import Runner


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_what_is_outside(phase):
    """A bottom of 3 x 6 in a target of 6 x 4: a row above, two below; of columns some are left out."""
    x = np.arange(2 * 7 * 3 * 6.0).reshape(2, 7, 3, 6)
    top = Runner(
        'type: "RandomCrop" random_crop_param { target_height: 6 target_width: 4 }', [x], phase=phase
    )
    set_random_seed(5)
    got = top.forward()[0]
    left = [i for i in range(3) if np.array_equal(got[:, :, 1:4], x[..., i : i + 4])]
    assert len(left) == 1 and (phase == TRAIN or left == [1])
    for row in (0, 4, 5):
        assert (got[:, :6, row] == 128).all() and np.isnan(got[:, 6, row]).all()


def test_a_bottom_of_the_targets_size():
    x = np.arange(7 * 3 * 4.0).reshape(1, 7, 3, 4)
    text = 'type: "RandomCrop" random_crop_param { target_height: 3 target_width: 4 }'
    np.testing.assert_array_equal(Runner(text, [x]).forward()[0], x)


def test_all_places_but_the_last_are_drawn():
    x = np.broadcast_to(np.arange(6.0) + 10 * np.arange(5)[:, None], (1, 7, 5, 6))
    runner = Runner('type: "RandomCrop" random_crop_param { target_height: 2 target_width: 3 }', [x])
    set_random_seed(2)
    found = {float(runner.forward()[0][0, 0, 0, 0]) for _ in range(200)}
    assert found == {10 * row + column for row in range(3) for column in range(3)}


def test_each_bottom_is_taken_as_often():
    runner = Runner('type: "DataSwitch"', [np.full((2, 3), i) for i in range(4)])
    set_random_seed(2)
    counts = np.bincount([int(runner.forward()[0][0, 0]) for _ in range(400)], minlength=4)
    assert counts.sum() == 400 and counts.min() > 70


@pytest.mark.parametrize(
    "text, shapes, message",
    [
        ('type: "RandomCrop"', [(2, 6, 9, 9)], "expected N x 7 x H x W"),
        ('type: "RandomCrop" random_crop_param { target_height: 0 }', [(2, 7, 9, 9)], "target_height is 0"),
        ('type: "DataSwitch"', [(2, 3), (2, 4)], "expected the same"),
    ],
)
def test_what_is_wrong(text, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(text, [np.zeros(shape) for shape in shapes])
