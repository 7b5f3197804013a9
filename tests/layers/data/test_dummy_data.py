"""DummyData: which tops are filled when, and with what."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import Rng, set_random_seed
from layers.harness import Runner


def dummy(params: str, tops: int = 1) -> Runner:
    return Runner(f'type: "DummyData" dummy_data_param {{ {params} }}', [], tops=tops)


def forward(runner: Runner) -> list[np.ndarray]:
    runner.layer.forward([], runner.top)
    return [top.data.copy() for top in runner.top]


def test_without_a_filler_it_is_zero():
    assert forward(dummy("shape { dim: 2 dim: 3 }"))[0].tolist() == [[0] * 3] * 2


def test_constants_are_filled_once_and_random_ones_every_time():
    runner = dummy(
        'shape { dim: 5 } shape { dim: 2 dim: 3 } data_filler { type: "constant" value: 4 } '
        'data_filler { type: "uniform" min: 1 max: 2 }',
        tops=2,
    )
    assert runner.top[0].data.tolist() == [4] * 5
    runner.top[0].data[1] = 9
    set_random_seed(6)
    stream, want = Rng(6), np.zeros((2, 3), np.float32)
    for _ in range(2):
        stream.uniform(1, 2, want)
        constant, random = forward(runner)
        assert constant.tolist() == [4, 9, 4, 4, 4]
        np.testing.assert_array_equal(random, want)


def test_one_shape_and_one_filler_count_for_all_tops():
    a, b = forward(dummy('shape { dim: 3 } data_filler { type: "constant" value: 2 }', tops=2))
    assert a.tolist() == b.tolist() == [2, 2, 2]


def test_legacy_dims_one_for_all_or_one_a_top():
    runner = dummy("num: 2 channels: 3 channels: 4 height: 5 width: 6 width: 7", tops=2)
    assert [top.shape for top in runner.top] == [(2, 3, 5, 6), (2, 4, 5, 7)]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("", "shape is given 0 times for 3 tops; give one, or one a top"),
        ("shape { dim: 1 } shape { dim: 2 }", "shape is given 2 times for 3 tops"),
        ("shape { dim: 1 } data_filler {} data_filler {}", "data_filler is given 2 times for 3 tops"),
        ("num: 1 channels: 2 height: 3", "width is given 0 times for 3 tops"),
        ("num: 1 shape { dim: 1 }", "both shape and the legacy"),
    ],
)
def test_wrong_numbers_of_anything_are_refused(params, message):
    with pytest.raises(LayerError, match=message):
        dummy(params, tops=3)
