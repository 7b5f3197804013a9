"""Dropout against recordings of the original and plain numpy."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.rng import caffe_rng, set_random_seed
from layers.harness import Runner

GOLDEN = Path(__file__).parents[1] / "golden"


def dropout(ratio: float, x: np.ndarray, **kwargs) -> Runner:
    scale_train = "" if kwargs.pop("scale_train", True) else "scale_train: false"
    return Runner(f'type: "Dropout" dropout_param {{ dropout_ratio: {ratio} {scale_train} }}', [x], **kwargs)


def draws(seed: int, n: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 2**32, n, dtype=np.uint64)


def test_two_layers_drop_what_the_original_drops():
    recorded = np.load(GOLDEN / "dropout.npz")
    ones = np.ones((4, 9), np.float32)
    a, b = dropout(0.5, ones), dropout(0.2, ones)
    set_random_seed(int(recorded["seed"]))
    for i in range(3):
        np.testing.assert_array_equal(a.forward()[0], recorded[f"a@{i}"])
        np.testing.assert_array_equal(b.forward()[0], recorded[f"b@{i}"])


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("scale_train", "scale"), [(True, 1 / 0.7), (False, 1)])
def test_keeps_scales_and_passes_the_gradient_of_what_it_kept(in_place, scale_train, scale):
    x, diff = np.random.RandomState(1).standard_normal((2, 3, 2, 100)).astype(np.float32)
    runner = dropout(0.3, x, in_place=in_place, scale_train=scale_train)
    for seed in (8, 9):
        runner.bottom[0].data[...] = x
        set_random_seed(seed)
        keep = draws(seed, x.size).reshape(x.shape) <= (1 - np.float64(np.float32(0.3))) * (2**32 - 1)
        np.testing.assert_allclose(runner.forward()[0], x * keep * scale, rtol=1e-6)
        np.testing.assert_allclose(runner.backward([diff])[0], diff * keep * scale, rtol=1e-6)
        assert abs(keep.mean() - 0.7) < 0.05


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("scale_train", "scale"), [(True, 1), (False, 0.7)])
def test_in_testing_it_draws_nothing_and_at_most_scales(in_place, scale_train, scale):
    x, diff = np.random.RandomState(2).standard_normal((2, 3, 5)).astype(np.float32)
    runner = dropout(0.3, x, phase=TEST, in_place=in_place, scale_train=scale_train)
    set_random_seed(4)
    np.testing.assert_allclose(runner.forward()[0], x * np.float32(scale), rtol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * np.float32(scale), rtol=1e-6)
    draw = np.zeros(1, np.uint32)
    caffe_rng().raw(draw)
    assert draw[0] == draws(4, 1)[0]


def test_ratio_zero_keeps_all_and_draws_all_the_same():
    x = np.random.RandomState(3).standard_normal((5, 7)).astype(np.float32)
    runner = dropout(0, x)
    set_random_seed(4)
    np.testing.assert_array_equal(runner.forward()[0], x)
    draw = np.zeros(1, np.uint32)
    caffe_rng().raw(draw)
    assert draw[0] == draws(4, 36)[35]


@pytest.mark.parametrize("ratio", ["1", "-0.1", "nan"])
def test_a_ratio_that_is_no_ratio_is_refused(ratio):
    with pytest.raises(LayerError, match=f"dropout_ratio is {ratio}; it must be at least 0 and below 1"):
        dropout(ratio, np.ones((2, 3)))


def test_sampling_in_testing_is_that_of_training():
    layer = 'type: "Dropout" dropout_param { sample_weights_test: true }'
    tops = []
    for phase in (TRAIN, TEST):
        set_random_seed(3)
        tops.append(Runner(layer, [np.ones((4, 25))], phase=phase).forward()[0])
    assert set(tops[0].ravel().tolist()) == {0, 2}
    np.testing.assert_array_equal(*tops)


def test_without_a_draw_all_may_be_dropped():
    """As in Caffe's deploy nets, where only a debug build looks at the ratio."""
    x = np.ones((2, 3), np.float32)
    text = 'type: "Dropout" dropout_param { dropout_ratio: 1 %s }'
    np.testing.assert_array_equal(Runner(text % "", [x], phase=TEST).forward()[0], x)
    assert not Runner(text % "scale_train: false", [x], phase=TEST).forward()[0].any()
