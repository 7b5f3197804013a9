"""LSTM and RNN against plain Python, and what both keep from batch to batch."""

import numpy as np
import pytest

from caffe_compat.blob import Blob
from caffe_compat.errors import LayerError
from caffe_compat.layers.common.fillers import fill
from caffe_compat.rng import caffe_rng, set_random_seed
from layers.harness import Runner
from layers.recurrent.recurrence import lstm, rnn, slopes

T, N, D = 3, 2, 4
STATES = {"LSTM": 2, "RNN": 1}
NAIVE = {"LSTM": lstm, "RNN": rnn}


def layer(kind, params=""):
    return f'type: "{kind}" recurrent_param {{ num_output: {D} {params} }}'


def bottoms(rng, static, states, fractions=False, steps=T):
    """x, cont, perhaps a static input, and states."""
    cont = rng.uniform(0.2, 1, (steps, N)) if fractions else rng.randint(0, 2, (steps, N))
    arrays = [rng.standard_normal((steps, N, 3, 2)), cont]
    arrays += [rng.standard_normal((N, 5))] if static else []
    arrays += [rng.standard_normal((1, N, D)) for _ in range(states)]
    return [array.astype(np.float32) for array in arrays]


def fill_params(runner, rng):
    for blob in runner.layer.blobs:
        blob.data[...] = rng.standard_normal(blob.shape) * 0.7


def expected(kind, arrays, params, static, states):
    """(top[0], the last states) of the naive one, in float64; states: whether they are among the arrays."""
    x, cont, *rest = arrays
    given = rest.pop(0) if static else None
    start = [state[0] for state in rest] if states else [np.zeros((N, D))] * STATES[kind]
    return NAIVE[kind](x.reshape(len(x), N, -1), cont, given, params, *start)


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("exposed", [False, True])
@pytest.mark.parametrize("kind", list(STATES))
def test_against_plain_python(kind, exposed, static, fractions):
    rng = np.random.RandomState(1)
    states = STATES[kind] if exposed else 0
    arrays = bottoms(rng, static, states, fractions)
    runner = Runner(layer(kind, f"expose_hidden: {str(exposed).lower()}"), arrays, tops=1 + states)
    fill_params(runner, rng)
    arrays = [array.astype(np.float64) for array in arrays]
    params = [blob.data.astype(np.float64) for blob in runner.layer.blobs]
    tops = runner.forward()
    want, last = expected(kind, arrays, params, static, exposed)
    np.testing.assert_allclose(tops[0], want, rtol=1e-5, atol=1e-6)
    for top, state in zip(tops[1:], last, strict=False):
        np.testing.assert_allclose(top[0], state, rtol=1e-5, atol=1e-6)

    seed = rng.standard_normal(want.shape).astype(np.float32)
    ignored = [np.full(top.shape, 9.0) for top in tops[1:]]  # the diffs of the states are not used
    for blob in runner.layer.blobs:
        blob.diff[...] = 2
    diffs = runner.backward([seed, *ignored])

    def objective():
        return (expected(kind, arrays, params, static, exposed)[0] * seed).sum()

    for i, (diff, array) in enumerate(zip(diffs, arrays, strict=True)):
        if i == 1 or i >= 2 + static:
            assert diff is None  # cont and the states take no gradient
        else:
            np.testing.assert_allclose(diff, slopes(objective, array), rtol=1e-4, atol=1e-5)
    for blob, param in zip(runner.layer.blobs, params, strict=True):
        np.testing.assert_allclose(blob.diff - 2, slopes(objective, param), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("kind", list(STATES))
def test_states_are_kept_from_batch_to_batch(kind):
    rng = np.random.RandomState(1)
    whole = bottoms(rng, False, 0, steps=6)
    whole[1][...] = 1
    first, second = [a[:4] for a in whole], [a[4:] for a in whole]
    once, twice = Runner(layer(kind), whole), Runner(layer(kind), first)
    for runner in (once, twice):
        fill_params(runner, np.random.RandomState(2))
    (want,) = once.forward()
    np.testing.assert_allclose(twice.forward()[0], want[:4], rtol=1e-6)
    state = twice.layer.get_state()
    twice.feed(second)
    np.testing.assert_allclose(twice.forward()[0], want[4:], rtol=1e-5, atol=1e-6)
    assert not np.allclose(twice.forward()[0], want[4:])  # the state has moved on
    twice.layer.set_state(state)
    np.testing.assert_allclose(twice.forward()[0], want[4:], rtol=1e-5, atol=1e-6)

    resumed = Runner(layer(kind), second)
    fill_params(resumed, np.random.RandomState(2))
    resumed.layer.set_state(state)
    np.testing.assert_allclose(resumed.forward()[0], want[4:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", list(STATES))
def test_another_number_of_streams_starts_anew(kind):
    rng = np.random.RandomState(1)
    arrays = [rng.standard_normal((T, 3, 6)), np.ones((T, 3))]
    runner = Runner(layer(kind), [array[:, :2] for array in arrays])
    fill_params(runner, np.random.RandomState(2))
    (pair,) = runner.forward()
    runner.feed(arrays)
    np.testing.assert_allclose(runner.forward()[0][:, :2], pair, rtol=1e-6)


def test_exposed_states_are_not_kept():
    arrays = bottoms(np.random.RandomState(1), False, 2)
    runner = Runner(layer("LSTM", "expose_hidden: true"), arrays, tops=3)
    fill_params(runner, np.random.RandomState(2))
    first = runner.forward()
    assert runner.layer.get_state() == {}
    for again, before in zip(runner.forward(), first, strict=True):
        np.testing.assert_array_equal(again, before)


@pytest.mark.parametrize(
    ("kind", "once", "each_step"),
    [
        ("LSTM", [(4 * D, 6), (4 * D,), (4 * D, 5)], [(4 * D, D)]),
        ("RNN", [(D, 6), (D,), (D, 5)], [(D, D), (D, D), (D,)]),
    ],
)
def test_every_step_of_the_unrolled_net_draws_its_weights(kind, once, each_step):
    fillers = "weight_filler { type: 'uniform' } bias_filler { type: 'gaussian' }"
    set_random_seed(7)
    runner = Runner(layer(kind, fillers), bottoms(np.random.RandomState(1), True, 0))
    following = np.empty(1, np.uint32)
    caffe_rng().raw(following)
    set_random_seed(7)
    param = runner.layer.layer_param.recurrent_param
    drawn = [Blob(shape) for shape in once + each_step * T]
    for blob in drawn:
        fill(blob, param.weight_filler if len(blob.shape) == 2 else param.bias_filler)
    want = np.empty(1, np.uint32)
    caffe_rng().raw(want)
    assert following == want
    for blob, first in zip(runner.layer.blobs, drawn, strict=False):
        np.testing.assert_array_equal(blob.data, first.data)


X, CONT, STATE = (T, N, 6), (T, N), (1, N, D)


@pytest.mark.parametrize(
    ("text", "shapes", "tops", "message"),
    [
        ('type: "LSTM"', [X, CONT], 1, "num_output is missing"),
        (layer("LSTM"), [X, CONT, (N, 5), STATE], 1, "has 4 bottoms and 1 tops, .* 0 states"),
        (layer("LSTM"), [X, CONT], 2, "has 2 bottoms and 2 tops"),
        (layer("LSTM", "expose_hidden: true"), [X, CONT, STATE], 3, "3 bottoms and 3 tops, .* 2 states"),
        (layer("RNN", "expose_hidden: true"), [X, CONT, STATE], 1, "has 3 bottoms and 1 tops, .* 1 states"),
        (layer("RNN"), [(T, N), CONT], 1, r"x has the shape \(3, 2\), expected T x N x 1 inputs"),
        (layer("RNN"), [(0, N, 6), (0, N)], 1, "with T at least 1"),
        (layer("RNN"), [X, (T, 5)], 1, r"cont has the shape \(3, 5\), expected \(3, 2\)"),
        (
            layer("RNN"),
            [X, CONT, (3, 5)],
            1,
            r"the static input has the shape \(3, 5\), expected 2 x 5 inputs",
        ),
        (
            layer("LSTM", "expose_hidden: true"),
            [X, CONT, STATE, (1, N, 5)],
            3,
            r"the state c has the shape \(1, 2, 5\), expected \(1, 2, 4\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(text, shapes, tops, message):
    with pytest.raises(LayerError, match=message):
        Runner(text, [np.zeros(shape) for shape in shapes], tops=tops)


def test_the_number_of_inputs_stays():
    runner = Runner(layer("LSTM"), [np.zeros(X), np.zeros(CONT)])
    with pytest.raises(LayerError, match="expected T x N x 6 inputs"):
        runner.feed([np.zeros((T, N, 7)), np.zeros(CONT)])
