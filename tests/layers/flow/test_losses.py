"""FlowNet2's losses: missing targets, which L1Loss it is, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.registry import computed_type, create_layer
from layers.harness import Runner, parse
from layers.naive import NAIVE, given_to

SHAPE = (2, 3, 4, 5)


def bottoms() -> list[np.ndarray]:
    rng = np.random.RandomState(1)
    values = [rng.standard_normal(SHAPE) for _ in range(2)]
    values[1].flat[::7] = np.nan
    return values


@pytest.mark.parametrize(
    "layer",
    [
        '"FlowL1Loss"',
        '"FlowL1Loss" l1_loss_param { normalize_by_num_entries: true }',
        '"FlowL1Loss" l1_loss_param { l2_per_location: true }',
        '"LpqLoss" lpq_loss_param { p: 1.5 q: 0.5 normalize_by_num_entries: true }',
        '"LpqLoss" lpq_loss_param { p: 1 q: 1 p_epsilon: 0.5 }',
    ],
)
def test_missing_targets_count_0_and_have_no_gradient(layer):
    runner = Runner(f"type: {layer}", bottoms(), phase=1)
    (want,) = NAIVE[runner.layer.type](given_to(runner))
    np.testing.assert_allclose(runner.forward()[0], want, rtol=1e-5)
    first, second = runner.backward([np.float32(1)])
    np.testing.assert_array_equal(first, -second)
    np.testing.assert_array_equal(first == 0, np.isnan(runner.bottom[1].data))


def test_without_any_target_the_loss_is_0():
    runner = Runner(
        'type: "FlowL1Loss" l1_loss_param { normalize_by_num_entries: true }', [np.full(SHAPE, np.nan)]
    )
    assert runner.forward()[0] == 0
    assert not runner.backward([np.float32(1)])[0].any()


def test_the_message_and_a_single_bottom_say_which_l1_loss_it_is():
    for text, name in (
        ('bottom: "a" bottom: "b"', "L1Loss"),
        ('bottom: "a"', "FlowL1Loss"),
        ('bottom: "a" bottom: "b" l1_loss_param { l2_per_location: true }', "FlowL1Loss"),
    ):
        assert computed_type(create_layer(parse(f'type: "L1Loss" {text}'), TRAIN)) == name


def test_a_distance_of_0_has_the_gradient_of_a_negative_one():
    runner = Runner('type: "FlowL1Loss"', [np.zeros((1, 1, 1, 2))])
    runner.forward()
    assert runner.backward([np.float32(1)])[0].ravel().tolist() == [-1, -1]


def test_episodes_begin_at_their_iterations():
    layer = 'type: "LpqLoss" lpq_loss_param { p: 1 q: 1 p: 2 q: 1 q_epsilon: 0 %s }'
    starts = "pq_episode_starts_at_iter: 0 pq_episode_starts_at_iter: 2"
    runner = Runner(layer % starts, [np.full((1, 1, 1, 1), 3)])
    assert [float(runner.forward()[0]) for _ in range(3)] == [3, 3, 9]
    assert runner.layer.get_state() == {"forwards": 3}
    for wrong in ("", "pq_episode_starts_at_iter: 0", starts.replace("0", "1")):
        with pytest.raises(LayerError, match="pq_episode_starts_at_iter"):
            Runner(layer % wrong, [np.ones((1, 1, 1, 1))])


def test_shapes_that_differ():
    with pytest.raises(LayerError, match="expected N x C x H x W"):
        Runner('type: "FlowL1Loss"', [np.ones((1, 2, 3, 4)), np.ones((1, 2, 4, 3))])
