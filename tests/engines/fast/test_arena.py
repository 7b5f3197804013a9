"""Memory that arrays share which do not live at the same time."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from caffe_compat.engines.fast.arena import Life, arrange


def test_a_chain_takes_two_places():
    lives = [Life(i, i + 1, 10 + i) for i in range(7)]
    assert arrange(lives) == 16 + 15
    assert [life.place for life in lives[-2:]] == [16, 0]


def test_nothing():
    assert arrange([]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_those_that_live_together_do_not_overlap(seed):
    rng = np.random.default_rng(seed)
    lives = []
    for _ in range(60):
        first = int(rng.integers(0, 40))
        lives.append(Life(first, first + int(rng.integers(0, 9)), int(rng.integers(1, 100))))
    size = arrange(lives)
    assert size == max(life.place + life.size for life in lives)
    for one, other in combinations(lives, 2):
        if one.first <= other.last and other.first <= one.last:
            assert one.place + one.size <= other.place or other.place + other.size <= one.place
    at_once = max(sum(life.size for life in lives if life.first <= t <= life.last) for t in range(50))
    assert at_once <= size <= 2 * at_once
