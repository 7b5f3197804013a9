"""The finite-difference check of a layer's backward pass, in float64, for one case of any layer class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.rng import set_random_seed
from layers.harness import Case, Runner, random_numbers

STEP = 1e-5
ELEMENTS = 6  # of each array, chosen at random, move alone: which of them is wrong is told
DIRECTIONS = 2  # of each array: all elements move at once, each up or down, so that none is left out


def check_gradient(case: Case, cls: type[Layer] | None = None) -> None:
    """Assert that the diffs of bottoms and params are the slopes of sum(top diff * top)."""
    set_random_seed(5)
    runner = Runner.of(case, case.bottoms(random_numbers(3)), cls, dtype=np.float64)
    rng = np.random.RandomState(4)
    runner.forward()  # there are tops that have their shape only then
    seeds = runner.seeds(case, rng)

    def objective() -> float:
        set_random_seed(6)
        runner.restore_state()
        return sum(float((seed * top).sum()) for seed, top in zip(seeds, runner.forward(), strict=True))

    objective()
    for blob in runner.layer.blobs:
        blob.diff.fill(0)
    runner.backward(seeds)
    learnable = [i not in case.fixed_params for i in range(len(runner.layer.blobs))]
    named = [(f"bottom[{i}]", blob) for i, blob in enumerate(runner.bottom) if runner.propagates[i]]
    named += [(f"param {i}", blob) for i, blob in enumerate(runner.layer.blobs) if learnable[i]]
    slopes = [blob.diff.copy().ravel() for _, blob in named]
    assert any(slope.any() for slope in slopes) or not slopes, "every gradient is 0: the case checks nothing"

    for (name, blob), slope in zip(named, slopes, strict=True):
        values = blob.data.reshape(-1)
        start = values.copy()
        least = 0.01 * np.abs(slope).max(initial=0)
        for place, direction in directions(rng, blob.shape):
            values[...] = start + STEP * direction
            above = objective()
            values[...] = start - STEP * direction
            below = objective()
            values[...] = start
            given, measured = slope @ direction, (above - below) / (2 * STEP)
            size = max(np.linalg.norm(slope * direction), least)
            assert abs(measured - given) <= 1e-5 * size + 1e-8, (
                f"{name}{place}: backward gives {given:.9g}, the slope is {measured:.9g}"
            )


def directions(rng: np.random.RandomState, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Where an array's numbers move, and how far each: some alone, then all at once."""
    count = int(np.prod(shape))
    for i in rng.permutation(count)[: ELEMENTS if count > ELEMENTS + DIRECTIONS else count]:
        yield f" {np.unravel_index(i, shape)}", np.eye(1, count, i)[0]
    for _ in range(DIRECTIONS if count > ELEMENTS + DIRECTIONS else 0):
        yield ", all at once", rng.choice([-1.0, 1.0], count)
