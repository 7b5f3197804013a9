"""The random stream against numpy's MT19937, and boost's distributions over it."""

from pathlib import Path

import numba
import numpy as np
import pytest

from caffe_compat import rng
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.kernels import random_numbers
from caffe_compat.rng import Rng, caffe_rng, set_random_seed

GOLDEN = Path(__file__).parent / "golden"


def numpy_draws(seed: int, n: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 2**32, n, dtype=np.uint64).astype(np.uint32)


@pytest.mark.parametrize("seed", [0, 1, 42, 1701, 2**32 - 1])
def test_raw_is_mt19937_in_pieces_of_any_size(seed):
    stream = Rng(seed)
    pieces = [np.zeros(n, np.uint32) for n in (1, 3, 619, 1, 1, 0, 2000, 624, 7)]
    for piece in pieces:
        stream.raw(piece)
    np.testing.assert_array_equal(np.concatenate(pieces), numpy_draws(seed, sum(p.size for p in pieces)))


def test_only_the_low_32_bits_of_a_seed_count():
    a, b = np.zeros((2, 5), np.uint32)
    Rng(7).raw(a)
    Rng(2**32 + 7).raw(b)
    np.testing.assert_array_equal(a, b)


def test_uniform_is_the_draw_over_2_to_the_32_and_one_draw_each():
    out = np.zeros((3, 500), np.float32)
    Rng(9).uniform(-0.5, 1.5, out)
    high = np.nextafter(np.float32(1.5), np.float32(2))
    want = numpy_draws(9, 1500).astype(np.float32) / np.float32(2**32) * (
        high - np.float32(-0.5)
    ) + np.float32(-0.5)
    np.testing.assert_array_equal(out.ravel(), want)


def test_uniform_of_one_value_only_throws_the_upper_end_away():
    out = np.zeros(2000, np.float32)
    stream = Rng(9)
    stream.uniform(3, 3, out)
    assert set(out) == {np.float32(3)}
    draws = numpy_draws(9, 5000).astype(np.float32) / np.float32(2**32)
    step = np.nextafter(np.float32(3), np.float32(4)) - np.float32(3)
    last = np.flatnonzero(draws * step + np.float32(3) == np.float32(3))[1999]
    assert stream.draw() == numpy_draws(9, 5000)[last + 1]


@pytest.mark.parametrize("p", [0.8, 0.5, 1.0, 0.25, np.float32(0.1), np.float32(3) / np.float32(7)])
def test_bernoulli_compares_in_the_type_of_p(p):
    out = np.zeros(5000, np.bool_)
    Rng(11).bernoulli(p, out)
    draws = numpy_draws(11, 5000).astype(type(p))
    np.testing.assert_array_equal(out, draws <= p * type(p)(2**32 - 1))
    assert abs(out.mean() - p) < 0.03


def test_bernoulli_in_float32_takes_the_draws_that_round_down_to_its_limit():
    kept = np.zeros(1, np.bool_)
    for draw, half32, half64 in ((2**31 - 1, 1, 1), (2**31, 1, 0), (2**31 + 128, 1, 0), (2**31 + 129, 0, 0)):
        for p, want in ((np.float32(0.5), half32), (0.5, half64)):
            stream = Rng(1)
            stream._stream[1][0], stream._stream[2][0] = draw, 0
            stream.bernoulli(p, kept)
            assert kept[0] == want, (draw, p)


def test_bernoulli_of_zero_draws_nothing():
    stream, kept, draw = Rng(4), np.ones(10, np.bool_), np.zeros(1, np.uint32)
    stream.bernoulli(0.0, kept)
    stream.raw(draw)
    assert not kept.any()
    assert draw[0] == numpy_draws(4, 1)[0]


def test_gaussian_has_the_moments_and_the_tails_of_a_normal():
    out = np.zeros(4_000_000, np.float32)
    Rng(21).gaussian(2, 3, out)
    z = (out.astype(np.float64) - 2) / 3
    assert abs(z.mean()) < 2e-3
    assert abs(z.std() - 1) < 2e-3
    assert abs((z**4).mean() - 3) < 2e-2
    for bound, beyond in ((1, 0.317310508), (2, 0.045500264), (3.4426, 0.000576155), (4, 6.3342e-05)):
        want = beyond * z.size
        assert abs((np.abs(z) > bound).sum() - want) < 5 * np.sqrt(want), bound
    assert (z > 4).sum() > 60 < (z < -4).sum()


def test_gaussian_is_one_normal_number_after_the_other_in_all_bits():
    normal = random_numbers._normal  # only compiled code can call it
    one = numba.njit(lambda words, draws, position: normal(words, draws, position))
    stream, plain = Rng(8), Rng(8)
    for n in (1, 623, 100_000, 3):
        out = np.full(n, np.nan, np.float32)
        stream.gaussian(0.5, 3, out)
        want = [one(*plain._stream) for _ in range(n)]
        np.testing.assert_array_equal(out, np.float32(want) * np.float32(3) + np.float32(0.5))
    assert stream.draw() == plain.draw()


def test_gives_what_boost_gives_with_the_tails():
    """Recorded with boost 1.74 (mt19937, normal_distribution<float>, uniform_real<float>).

    Of 200,000 normal numbers the 92 from the tails and every thousandth; then of as many from
    uniform_real(-0.3, 0.7) the same places; then the next raw draw.
    """
    recorded = np.load(GOLDEN / "boost_random.npz")
    stream = Rng(int(recorded["seed"]))
    gaussian, uniform = np.zeros((2, int(recorded["count"])), np.float32)
    after = np.zeros(1, np.uint32)
    stream.gaussian(0, 1, gaussian)
    end = np.nextafter(np.float32(0.7), np.float32(0))  # Rng includes its end, boost excludes 0.7
    stream.uniform(-0.3, end, uniform)
    stream.raw(after)
    at = recorded["at"]
    assert (np.abs(recorded["gaussian"]) > 3.4426).sum() == 92
    np.testing.assert_allclose(gaussian[at], recorded["gaussian"], rtol=1e-6)
    np.testing.assert_allclose(uniform[at], recorded["uniform"], rtol=1e-6, atol=1e-7)
    assert after[0] == recorded["next"][0]


def test_a_state_that_was_kept_goes_on_exactly():
    stream = Rng(3)
    stream.gaussian(0, 1, np.zeros(1001, np.float32))
    state = stream.get_state()
    a, b = np.zeros((2, 2000), np.float32)
    stream.gaussian(0, 1, a)
    other = Rng(99)
    other.set_state(state)
    other.gaussian(0, 1, b)
    np.testing.assert_array_equal(a, b)


def test_the_global_stream_starts_anew_with_a_seed_and_differs_without(monkeypatch):
    def first(n=4):
        out = np.zeros(n, np.uint32)
        caffe_rng().raw(out)
        return list(out)

    set_random_seed(42)
    one = first()
    assert first() != one
    set_random_seed(42)
    assert first() == one == list(numpy_draws(42, 4))
    monkeypatch.setattr(rng, "_global", None)
    unseeded = first()
    monkeypatch.setattr(rng, "_global", None)
    assert first() != unseeded


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r, out: r.uniform(2, 1, out), "from 2 to 1: min must not be above max"),
        (lambda r, out: r.gaussian(0, 0, out), "std must be above 0"),
        (lambda r, out: r.gaussian(0, float("nan"), out), "std must be above 0"),
        (lambda r, out: r.bernoulli(1.5, out), "probability of 1.5"),
    ],
)
def test_bad_params_are_refused(call, message):
    with pytest.raises(CaffeCompatError, match=message):
        call(Rng(0), np.zeros(3, np.float32))


@pytest.mark.parametrize(("alpha", "beta"), [(0.2, 0.2), (1, 1), (1, 3), (2.5, 0.7)])
def test_beta_has_the_moments(alpha, beta):
    rng = Rng(5)
    values = np.array([rng.beta(alpha, beta) for _ in range(4000)])
    assert ((values >= 0) & (values <= 1)).all()
    total = alpha + beta
    assert values.mean() == pytest.approx(alpha / total, abs=0.03)
    assert values.var() == pytest.approx(alpha * beta / total**2 / (total + 1), abs=0.01)
