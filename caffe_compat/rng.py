"""Random numbers: one MT19937 stream like Caffe's, and boost's distributions over it.

The same seed gives the same numbers, bit for bit, as the original with boost 1.56 or later.
Sources: Caffe's `caffe_rng` and `caffe_rng_*`; Matsumoto and Nishimura, "Mersenne Twister" (1998);
Marsaglia and Tsang, "The Ziggurat Method for Generating Random Variables" (2000), in the form of boost's
`normal_distribution` and `exponential_distribution`.
"""

from __future__ import annotations

import bisect
import math
import os
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit

from caffe_compat.errors import CaffeCompatError

WORDS = 624  # of MT19937's state; also how many draws one twist gives
_AHEAD = 397  # how far ahead the recurrence looks
_UNIT = np.float32(2.0**-32)
_HALF = np.float32(0.5)


def _strips(density: Callable, inverse: Callable, count: int, start: float, tail: float):
    """The right ends of a ziggurat's strips, from the base strip up to 0, and the density at them (base: 0).

    start: where the base strip's rectangle ends and its tail, of area `tail`, begins.
    """
    area = start * density(start) + tail
    x = np.zeros(count + 1)
    x[0], x[1] = area / density(start), start  # the base strip is as wide as a rectangle of the same area
    for i in range(1, count - 1):
        x[i + 1] = inverse(density(x[i]) + area / x[i])
    y = np.array([density(v) for v in x])
    y[0] = 0
    return x, y


_NORMAL_START = 3.4426198558966521214
_NORMAL_X, _NORMAL_Y = _strips(
    lambda x: math.exp(-x * x / 2),
    lambda y: math.sqrt(-2 * math.log(y)),
    128,
    _NORMAL_START,
    math.sqrt(math.pi / 2) * math.erfc(_NORMAL_START / math.sqrt(2)),
)
_EXPONENTIAL_START = 7.6971174701310497140
_EXPONENTIAL_X, _EXPONENTIAL_Y = _strips(
    lambda x: math.exp(-x), lambda y: -math.log(y), 256, _EXPONENTIAL_START, math.exp(-_EXPONENTIAL_START)
)


@lru_cache(maxsize=16)  # a sweep over layers seeds with the same numbers ten thousand times
def _seeded(seed: int) -> np.ndarray:
    """The words that a seed gives; numpy's seeding is the same."""
    words: np.ndarray = np.random.RandomState(seed).get_state()[1]  # type: ignore[index]
    return words.astype(np.uint32)


# ---- the stream: words[624] is the state, draws[624] what it gives, position[0] how many are used up
@njit(cache=True, error_model="numpy")
def _mix(word, following):
    y = (word & np.uint32(0x80000000)) | (following & np.uint32(0x7FFFFFFF))
    return (y >> np.uint32(1)) ^ (np.uint32(0x9908B0DF) * (following & np.uint32(1)))


@njit(cache=True, error_model="numpy")
def _temper(words, draws):
    for i in range(WORDS):
        y = words[i]
        y ^= y >> np.uint32(11)
        y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
        y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
        draws[i] = y ^ (y >> np.uint32(18))


@njit(cache=True, error_model="numpy")
def _twist(words, draws):
    # three loops, so that no index wraps around: the compiler then works on many words at once
    for i in range(WORDS - _AHEAD):
        words[i] = words[i + _AHEAD] ^ _mix(words[i], words[i + 1])
    for i in range(WORDS - _AHEAD, WORDS - 1):
        words[i] = words[i + _AHEAD - WORDS] ^ _mix(words[i], words[i + 1])
    words[WORDS - 1] = words[_AHEAD - 1] ^ _mix(words[WORDS - 1], words[0])
    _temper(words, draws)


@njit(cache=True, error_model="numpy")
def _next(words, draws, position):
    if position[0] == WORDS:
        _twist(words, draws)
        position[0] = 0
    position[0] += 1
    return draws[position[0] - 1]


@njit(cache=True, error_model="numpy")
def _raw(words, draws, position, out):
    done = 0
    while done < out.size:
        if position[0] == WORDS:
            _twist(words, draws)
            position[0] = 0
        n = min(WORDS - position[0], out.size - done)
        out[done : done + n] = draws[position[0] : position[0] + n]
        position[0] += n
        done += n


@njit(cache=True, error_model="numpy")
def _at_most(words, draws, position, limit, out):
    done = 0
    while done < out.size:
        if position[0] == WORDS:
            _twist(words, draws)
            position[0] = 0
        n = min(WORDS - position[0], out.size - done)
        given, kept = draws[position[0] : position[0] + n], out[done : done + n]
        for i in range(n):
            kept[i] = given[i] <= limit
        position[0] += n
        done += n


# ---- boost's distributions, in float32
@njit(cache=True, error_model="numpy")
def _unit(words, draws, position):
    """In [0, 1): the few draws that round up to 1 are thrown away."""
    while True:
        result = np.float32(_next(words, draws, position)) * _UNIT
        if result < np.float32(1):
            return result


@njit(cache=True, error_model="numpy")
def _uniform(words, draws, position, low, high, out):
    done = 0
    while done < out.size:
        if position[0] == WORDS:
            _twist(words, draws)
            position[0] = 0
        n = min(WORDS - position[0], out.size - done)
        given = draws[position[0] : position[0] + n]
        for i in range(n):
            out[done] = np.float32(given[i]) * _UNIT * (high - low) + low
            done += not out[done] >= high  # one that rounds up to the end is thrown away
        position[0] += n


@njit(cache=True, error_model="numpy")
def _strip(draw):
    """One draw gives both: which strip (8 bits) and where in it (24 bits, in [0, 1))."""
    return np.intp(draw & np.uint32(0xFF)), np.float32(draw >> np.uint32(8)) * np.float32(2.0**-24)


@njit(cache=True, error_model="numpy")
def _exponential(words, draws, position):
    shift = np.float32(0)
    while True:
        i, where = _strip(_next(words, draws, position))
        left, right = np.float32(_EXPONENTIAL_X[i + 1]), np.float32(_EXPONENTIAL_X[i])
        x = where * right
        if x < left:
            return shift + x
        if i == 0:
            shift += left  # the tail looks like the whole
            continue
        up = _unit(words, draws, position)
        y = np.float32(_EXPONENTIAL_Y[i]) + up * np.float32(_EXPONENTIAL_Y[i + 1] - _EXPONENTIAL_Y[i])
        chord = np.float32(_EXPONENTIAL_X[i] - _EXPONENTIAL_X[i + 1]) * up - (right - x)
        if chord < np.float32(0) and y < math.exp(-x):
            return x + shift


@njit(cache=True, error_model="numpy")
def _normal_of(draw):
    """The number that a draw gives, and whether it lies so far inside its strip that it needs no other draw."""
    bits, where = _strip(draw)
    x = where * np.float32(_NORMAL_X[bits >> 1])
    return x * np.float32((bits & 1) * 2 - 1), x < _NORMAL_X[(bits >> 1) + 1]


@njit(cache=True, error_model="numpy")
def _normal(words, draws, position):
    start = np.float32(_NORMAL_START)
    while True:
        bits, where = _strip(_next(words, draws, position))
        i, sign = bits >> 1, np.float32((bits & 1) * 2 - 1)
        right = np.float32(_NORMAL_X[i])
        x = where * right
        if x < _NORMAL_X[i + 1]:
            return x * sign
        if i == 0:
            while True:
                x = _exponential(words, draws, position) / start
                if np.float32(2) * _exponential(words, draws, position) > x * x:
                    return (x + start) * sign
        up = _unit(words, draws, position)
        y = np.float32(_NORMAL_Y[i]) + up * np.float32(_NORMAL_Y[i + 1] - _NORMAL_Y[i])
        chord = np.float32(_NORMAL_X[i] - _NORMAL_X[i + 1]) * up - (right - x)
        tangent = y - (np.float32(_NORMAL_Y[i]) + (right - x) * np.float32(_NORMAL_Y[i]) * right)
        # the curve lies between the two lines; which of them is above depends on how it bends
        above, below = (chord, tangent) if _NORMAL_X[i] >= 1 else (tangent, chord)
        if above < np.float32(0) and (below < np.float32(0) or y < math.exp(-x * x * _HALF)):
            return x * sign


@njit(cache=True, error_model="numpy")
def _gaussian(words, draws, position, mean, std, out):
    done = 0
    while done < out.size:
        if position[0] == WORDS:
            _twist(words, draws)
            position[0] = 0
        n = min(WORDS - position[0], out.size - done)
        given, made = draws[position[0] : position[0] + n], out[done : done + n]
        i = 0
        while i < n:
            x, is_inside = _normal_of(given[i])
            if not is_inside:
                break
            made[i] = x * std + mean
            i += 1
        position[0] += i
        done += i
        if i < n:  # one draw in a hundred
            out[done] = _normal(words, draws, position) * std + mean
            done += 1


class Rng:
    """A stream of random numbers. The methods fill C-contiguous arrays of any shape, element by element.

    seed: a non-negative integer; as in Caffe only its low 32 bits count.
    """

    def __init__(self, seed: int):
        self._stream = _seeded(seed & 0xFFFFFFFF).copy(), np.empty(WORDS, np.uint32), np.array([WORDS])

    def raw(self, out: np.ndarray) -> None:
        """Fill a uint32 array with the next 32-bit draws."""
        _raw(*self._stream, out.reshape(-1))

    def draw(self) -> int:
        """The next 32-bit draw."""
        out = np.empty(1, np.uint32)
        self.raw(out)
        return int(out[0])

    def shuffle(self, items: np.ndarray) -> None:
        """Bring the items along the first axis into a random order, in place. Source: Caffe's `shuffle`."""
        for i in range(len(items) - 1, 0, -1):
            bucket = 2**32 // (i + 1)
            while (j := self.draw() // bucket) > i:
                pass
            items[[i, j]] = items[[j, i]]

    def uniform(self, low: float, high: float, out: np.ndarray) -> None:
        """Fill with numbers from low to high, both included. Raises CaffeCompatError when low > high."""
        a, b = np.float32(low), np.float32(high)
        if not a <= b:
            raise CaffeCompatError(f"uniform random numbers from {low} to {high}: min must not be above max")
        _uniform(*self._stream, a, np.nextafter(b, np.finfo(np.float32).max), out.reshape(-1))

    def number(self, low: float, high: float) -> np.float32:
        """One number from low to high, as `uniform` gives it."""
        out = np.empty(1, np.float32)
        self.uniform(low, high, out)
        return out[0]

    def gaussian(self, mean: float, std: float, out: np.ndarray) -> None:
        """Fill with normally distributed numbers. Raises CaffeCompatError unless std > 0."""
        if not std > 0:
            raise CaffeCompatError(f"gaussian random numbers with std {std}: std must be above 0")
        _gaussian(*self._stream, np.float32(mean), np.float32(std), out.reshape(-1))

    def bernoulli(self, p: float | np.float32, out: np.ndarray) -> None:
        """Fill a bool or uint8 array: 1 with probability p. One draw an element; none at all for p = 0.

        The draw is compared with p * (2**32 - 1) in the type of p, as the original's template does.
        Raises CaffeCompatError unless 0 <= p <= 1.
        """
        if not 0 <= p <= 1:
            raise CaffeCompatError(f"a probability of {p}: it must lie between 0 and 1")
        if p == 0:
            out[...] = False
            return
        kind = type(p)
        limit = bisect.bisect_right(range(2**32), p * kind(2**32 - 1), key=kind) - 1
        _at_most(*self._stream, np.uint32(limit), out.reshape(-1))

    def beta(self, alpha: float, beta: float) -> float:
        """A number of the beta distribution. Raises CaffeCompatError unless both params are above 0, 1e6 at most."""
        if not (0 < alpha <= 1e6 and 0 < beta <= 1e6):  # float32 finds none beyond
            raise CaffeCompatError(
                f"a beta distribution of {alpha} and {beta}: both must be above 0, 1e6 at most"
            )
        first, second = self._gamma(np.float32(alpha)), self._gamma(np.float32(beta))
        return float(first / (first + second))

    def _gamma(self, alpha: np.float32) -> np.float32:
        """A number of the gamma distribution. Source: boost's gamma_distribution; Knuth, 3.4.1."""
        one = np.float32(1)
        if alpha == one:
            return np.float32(_exponential(*self._stream))
        if alpha < one:
            part = np.float32(math.e) / (alpha + np.float32(math.e))
            while True:
                u, y = np.float32(_unit(*self._stream)), np.float32(_exponential(*self._stream))
                x = np.exp(-y / alpha) if u < part else one + y
                limit = part * np.exp(-x) if u < part else part + (one - part) * x ** (alpha - one)
                if u < limit:
                    return x
        root = np.sqrt(2 * alpha - one)
        while True:
            y = np.tan(np.float32(math.pi) * np.float32(_unit(*self._stream)))
            x = root * y + alpha - one
            if x > 0:
                limit = (one + y * y) * np.exp((alpha - one) * np.log(x / (alpha - one)) - root * y)
                if _unit(*self._stream) <= limit:
                    return x

    def get_state(self) -> tuple[np.ndarray, int]:
        """The 624 words (uint32) and how many draws of the present twist are used up: for an exact resume."""
        words, _, position = self._stream
        return words.copy(), int(position[0])

    def set_state(self, state: tuple[np.ndarray, int]) -> None:
        """Go on from where `get_state` stood."""
        words, draws, position = self._stream
        words[:], position[0] = state
        _temper(words, draws)


_global: Rng | None = None


def set_random_seed(seed: int) -> None:
    """Start the global stream anew: every filler, Dropout and DummyData draw from it."""
    global _global
    _global = Rng(seed)


def caffe_rng() -> Rng:
    """The global stream; seeded by the operating system where nobody set a seed."""
    global _global
    if _global is None:
        _global = Rng(int.from_bytes(os.urandom(4), "little"))
    return _global
