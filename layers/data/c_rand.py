"""The numbers of C's rand() in glibc, for data that was shuffled by them."""

from __future__ import annotations

from collections import deque

import numpy as np

DEGREE, SEPARATION, DISCARDED = 31, 3, 310


class CRand:
    """rand() after srand(seed): x[i] = x[i - 31] + x[i - 3] modulo 2^32, without the last bit.

    seed: 0 is 1, as there. Source: glibc's random_r(3), its additive feedback generator of degree 31.
    """

    def __init__(self, seed: int):
        first = [(seed & 0xFFFFFFFF) or 1]
        if first[0] >= 2**31:
            first[0] -= 2**32
        for _ in range(DEGREE - 1):  # 16807 x modulo 2^31 - 1, by Schrage's way, which an int can hold
            high, low = int(first[-1] / 127773), int(np.fmod(first[-1], 127773))
            word = 16807 * low - 2836 * high
            first.append(word + (2**31 - 1) * (word < 0))
        # the generator begins at x[3]: as if these had come before
        self._words = deque(
            (word & 0xFFFFFFFF for word in [*first[SEPARATION:], *first[:SEPARATION]]), DEGREE
        )
        for _ in range(DISCARDED):
            self.draw()

    def draw(self) -> int:
        """The next number, from 0 to 2^31 - 1."""
        self._words.append((self._words[0] + self._words[-SEPARATION]) & 0xFFFFFFFF)
        return self._words[-1] >> 1

    def get_state(self) -> np.ndarray:
        return np.array(self._words, np.uint32)

    def set_state(self, state: np.ndarray) -> None:
        self._words = deque(state.tolist(), DEGREE)
