"""The finite-difference check of a layer's backward pass, in float64, for one case of any layer class."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.rng import set_random_seed
from layers.harness import Case, Runner

STEP = 1e-5
ELEMENTS = 40  # of each array, chosen at random


def check_gradient(case: Case, cls: type[Layer] | None = None) -> None:
    """Assert that the diffs of bottoms and params are the slopes of sum(top diff * top)."""
    set_random_seed(5)
    runner = Runner.of(case, case.bottoms(np.random.RandomState(3)), cls, dtype=np.float64)
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
        tolerance = 1e-5 * np.maximum(np.abs(slope), 0.01 * np.abs(slope).max(initial=0)) + 1e-8
        for i in rng.permutation(values.size)[:ELEMENTS]:
            value = values[i]
            values[i] = value + STEP
            above = objective()
            values[i] = value - STEP
            below = objective()
            values[i] = value
            measured = (above - below) / (2 * STEP)
            assert abs(measured - slope[i]) <= tolerance[i], (
                f"{name} {np.unravel_index(i, blob.shape)}: "
                f"backward gives {slope[i]:.9g}, the slope is {measured:.9g}"
            )
