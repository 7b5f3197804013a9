"""Lstm: clip, the cut of the gradient, what stays from one batch to the next, errors."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

RNG = np.random.RandomState(0)
X = RNG.standard_normal((4, 2, 3))
LAYER = 'type: "Lstm" lstm_param { num_output: 5 weight_filler { type: "gaussian" } %s }'


def runner(*bottoms, params="", dtype=np.float32) -> Runner:
    made = Runner(LAYER % params, bottoms, dtype=dtype)
    rng = np.random.RandomState(1)
    for blob in made.layer.blobs:
        blob.data[...] = rng.standard_normal(blob.shape)
    return made


def test_params_and_shapes():
    made = runner(X)
    assert [blob.shape for blob in made.layer.blobs] == [(20, 3), (20, 5), (20,)]
    assert made.top[0].shape == (4, 2, 5)


def test_a_clip_of_ones_goes_on_from_the_last_batch():
    whole = runner(np.concatenate([X, X])).forward()[0]
    halves = runner(X, np.ones((4, 2)))
    np.testing.assert_allclose(halves.forward()[0], whole[:4], atol=1e-6)
    state = halves.layer.get_state()
    np.testing.assert_allclose(halves.forward()[0], whole[4:], atol=1e-6)
    halves.layer.set_state(state)
    np.testing.assert_allclose(halves.forward()[0], whole[4:], atol=1e-6)


def test_a_zero_in_clip_starts_a_sequence_anew():
    clip = np.ones((4, 2))
    clip[0], clip[2, 1] = 0, 0
    got = runner(X, clip).forward()[0]
    np.testing.assert_allclose(got[2:, 1], runner(X[2:]).forward()[0][:, 1], atol=1e-6)
    np.testing.assert_allclose(got[:, 0], runner(X).forward()[0][:, 0], atol=1e-6)


def test_a_third_bottom_is_not_read():
    clip = np.ones((4, 2))
    clip[0], clip[2, 1] = 0, 0
    with pytest.warns(UserWarning, match="third bottom is not read"):
        got = runner(X, clip, np.full((4, 2), np.nan)).forward()[0]
    np.testing.assert_array_equal(got, runner(X, clip).forward()[0])


def test_the_gradient_at_the_gates_is_cut():
    def bias_diff(params, seed):
        made = runner(X, params=params)
        made.forward()
        made.backward([np.full((4, 2, 5), seed)])
        return made.layer.blobs[2].diff.copy()

    assert abs(bias_diff("", 100)).max() > 0.8
    cut = bias_diff("clipping_threshold: 0.1", 100)
    assert abs(cut).max() <= 0.8 + 1e-6  # 8 steps of at most 0.1
    np.testing.assert_allclose(bias_diff("clipping_threshold: 50", 0.01), bias_diff("", 0.01))


def test_the_gradient_of_w_h_knows_no_sequences_inside_a_batch():
    clip = np.ones((4, 2))
    clip[0], clip[2] = 0, 0
    made = runner(X, clip)
    h = made.forward()[0]
    made.backward([np.ones((4, 2, 5))])
    gates = made.layer._gates.diff
    want = sum(gates[t].T @ h[t - 1] for t in (1, 2, 3))
    np.testing.assert_allclose(made.layer.blobs[1].diff, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "shapes, message",
    [
        ([(4,)], "expected T x N x inputs"),
        ([(7, 3)], "with batch_size 2"),
        ([(4, 2, 3), (4, 3)], "clip has the shape"),
        ([(0, 2, 3)], "expected T x N x inputs"),
    ],
)
def test_errors(shapes, message):
    with pytest.raises(LayerError, match=message):
        runner(*map(np.zeros, shapes), params="batch_size: 2")


def test_num_output_is_needed():
    with pytest.raises(LayerError, match="num_output"):
        Runner('type: "Lstm"', [X])
