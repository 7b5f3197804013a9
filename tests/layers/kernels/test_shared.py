"""Kernels that threads share, and what they call."""

import numba
import numpy as np
import pytest

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def weighted(x, weights, c, negative):
    return -x * weights[c] if negative else x * weights[c]


@shared()
def by_parts(x, weights, factor, negative, parts_seen, y, part, parts):
    """y = +- factor * weights of the columns * x; parts_seen: which part a row was in, and of how many."""
    for row in range(*share_of(len(x), part, parts)):
        parts_seen[row, 0], parts_seen[row, 1] = part, parts
        for c in range(x.shape[1]):
            y[row, c] = factor * weighted(x[row, c], weights, c, negative)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_every_row_is_in_one_part(threads, rows):
    before = numba.get_num_threads()
    x = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    seen, y = np.full((rows, 2), -1), np.full_like(x, np.nan)
    numba.set_num_threads(min(threads, before))
    try:
        by_parts(x, (np.float32(1), np.float32(2), np.float32(5)), np.float32(0.5), True, seen, y)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(y, -0.5 * x * [1, 2, 5])
    parts = min(threads, before)
    want = [part for part in range(parts) for _ in range(*share_of.py_func(rows, part, parts))]
    np.testing.assert_array_equal(seen, [[part, parts] for part in want] or np.empty((0, 2)))


def test_a_kernel_has_the_name_and_the_words_of_its_function():
    assert by_parts.__name__ == "by_parts" and by_parts.__doc__.startswith("y = +-")


def test_a_piece_is_not_for_python():
    with pytest.raises(TypeError):
        weighted(np.float32(2), (np.float32(3),), 0, False)
