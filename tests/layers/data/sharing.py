"""What holds of each data layer whose minibatches several workers share out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from layers.harness import Runner


def shares_what_one_serves(make: Callable[[], Runner], workers: int = 3, turns: int = 2) -> None:
    """Each of the workers serves its part of what one layer of `make` serves, counts it, and stands where that does."""
    one, parts = make(), [make() for _ in range(workers)]
    want = [[array.copy() for array in one.forward()] for _ in range(workers * turns)]
    assert any((a != b).any() for a, b in zip(want[0], want[1], strict=True))
    for rank, part in enumerate(parts):
        part.layer.share_out(rank, workers)
        for turn in range(turns):
            for got, array in zip(part.forward(), want[workers * turn + rank], strict=True):
                np.testing.assert_array_equal(got, array)
        assert part.layer.images_read == turns * len(want[0][0])
        for key, value in one.layer.get_state().items():
            np.testing.assert_array_equal(part.layer.get_state()[key], value, err_msg=key)
