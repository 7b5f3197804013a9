"""Random numbers: one MT19937 stream like Caffe's, and boost's distributions over it.

The same seed gives the same numbers, bit for bit, as the original with boost 1.56 or later.
Source: Caffe's `caffe_rng` and `caffe_rng_*`; see layers/kernels/random_numbers.py.
"""

from __future__ import annotations

import bisect
import math
import os
from functools import lru_cache
from types import ModuleType

import numpy as np

from caffe_compat.errors import CaffeCompatError


@lru_cache(maxsize=16)  # a sweep over layers seeds with the same numbers ten thousand times
def _seeded(seed: int) -> np.ndarray:
    """The words that a seed gives; numpy's seeding is the same."""
    words: np.ndarray = np.random.RandomState(seed).get_state()[1]  # type: ignore[index]
    return words.astype(np.uint32)


def _kernels() -> ModuleType:
    from caffe_compat.layers.kernels import random_numbers  # numba takes longer to import than all else

    return random_numbers


class Rng:
    """A stream of random numbers. The methods fill C-contiguous arrays of any shape, element by element.

    seed: a non-negative integer; as in Caffe only its low 32 bits count.
    """

    def __init__(self, seed: int):
        words = _seeded(seed & 0xFFFFFFFF).copy()
        self._stream = words, np.empty_like(words), np.array([words.size])

    def raw(self, out: np.ndarray) -> None:
        """Fill a uint32 array with the next 32-bit draws."""
        _kernels().raw(*self._stream, out.reshape(-1))

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
        """Fill with numbers from low to high, both included. Raises CaffeCompatError when low > high, and where float32
        has no number for the width of the range: the original then draws for ever."""
        with np.errstate(over="ignore"):
            a, b = np.float32(low), np.float32(high)
            end = np.nextafter(b, np.finfo(np.float32).max)
            width = end - a
        if not a <= b:
            raise CaffeCompatError(f"uniform random numbers from {low} to {high}: min must not be above max")
        if not 0 < width < np.inf:
            raise CaffeCompatError(
                f"uniform random numbers from {low} to {high}: the range is too large for float32"
            )
        _kernels().uniform(*self._stream, a, end, out.reshape(-1))

    def number(self, low: float, high: float) -> np.float32:
        """One number from low to high, as `uniform` gives it."""
        out = np.empty(1, np.float32)
        self.uniform(low, high, out)
        return out[0]

    def gaussian(self, mean: float, std: float, out: np.ndarray) -> None:
        """Fill with normally distributed numbers. Raises CaffeCompatError unless std > 0."""
        if not std > 0:
            raise CaffeCompatError(f"gaussian random numbers with std {std}: std must be above 0")
        _kernels().gaussian(*self._stream, np.float32(mean), np.float32(std), out.reshape(-1))

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
        _kernels().at_most(*self._stream, np.uint32(limit), out.reshape(-1))

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
            return np.float32(_kernels().exponential(*self._stream))
        if alpha < one:
            part = np.float32(math.e) / (alpha + np.float32(math.e))
            while True:
                u, y = (
                    np.float32(_kernels().unit(*self._stream)),
                    np.float32(_kernels().exponential(*self._stream)),
                )
                x = np.exp(-y / alpha) if u < part else one + y
                limit = part * np.exp(-x) if u < part else part + (one - part) * x ** (alpha - one)
                if u < limit:
                    return x
        root = np.sqrt(2 * alpha - one)
        while True:
            y = np.tan(np.float32(math.pi) * np.float32(_kernels().unit(*self._stream)))
            x = root * y + alpha - one
            if x > 0:
                limit = (one + y * y) * np.exp((alpha - one) * np.log(x / (alpha - one)) - root * y)
                if _kernels().unit(*self._stream) <= limit:
                    return x

    def get_state(self) -> tuple[np.ndarray, int]:
        """The 624 words (uint32) and how many draws of the present twist are used up: for an exact resume."""
        words, _, position = self._stream
        return words.copy(), int(position[0])

    def set_state(self, state: tuple[np.ndarray, int]) -> None:
        """Go on from where `get_state` stood. Raises ValueError for what it cannot have returned."""
        words, draws, position = self._stream
        new, used = state
        if new.shape != words.shape or new.dtype != words.dtype or not 0 <= used <= words.size:
            raise ValueError(
                f"the state of random numbers is {words.size} words of uint32, and how many are used up"
            )
        words[:], position[0] = new, used
        _kernels().temper(words, draws)


def set_numpy_state(words: np.ndarray, position: int, has_gauss: int = 0, gauss: float = 0.0) -> None:
    """Let numpy's global stream go on from a state that a file has. Raises ValueError for what is none."""
    if (
        words.shape != (624,) or words.dtype != np.uint32 or not 0 <= position <= 624
    ):  # numpy looks at the shape alone
        raise ValueError(
            "the state of numpy's random numbers is 624 words of uint32, and how many are used up"
        )
    np.random.set_state(("MT19937", words, position, has_gauss, gauss))


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
