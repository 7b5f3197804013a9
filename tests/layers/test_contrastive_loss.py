"""ContrastiveLoss against plain loops, and shapes that do not fit."""

import math
import re

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 1, 1)])
def test_against_plain_loops(shape, legacy):
    rng = np.random.RandomState(3)
    a, b = rng.standard_normal((2, 6, 3)).astype(np.float32)
    b[4] = a[4]  # a pair without distance
    similar = [1, 0, 0, 1, 0, 0]
    margin = 2.25
    layer = f'type: "ContrastiveLoss" contrastive_loss_param {{ margin: 2.25 legacy_version: {str(legacy).lower()} }}'
    runner = Runner(layer, [a.reshape(shape), b.reshape(shape), np.array(similar)])
    loss, diff = 0.0, np.zeros((6, 3))
    for i in range(6):
        gap = a[i].astype(float) - b[i]
        square = (gap**2).sum()
        if similar[i]:
            loss, diff[i] = loss + square, gap
        elif legacy:
            loss, diff[i] = loss + max(0, margin - square), -gap * (square < margin)
        else:
            short = max(0, margin - math.sqrt(square))
            loss, diff[i] = loss + short**2, -gap * short / (math.sqrt(square) + 1e-4)
    np.testing.assert_allclose(runner.forward()[0], loss / 12, rtol=1e-6)
    first, second, none = runner.backward([3])
    np.testing.assert_allclose(first, diff.reshape(shape) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(second, -first)
    assert none is None


def test_shapes_that_do_not_fit():
    for shapes in ([(4, 3), (4, 2), (4,)], [(4, 3), (4, 3), (4, 3)], [(4, 3, 2), (4, 3, 2), (4,)]):
        with pytest.raises(
            LayerError, match=re.escape(f"the bottoms have the shapes {shapes}; expected N x C")
        ):
            Runner('type: "ContrastiveLoss"', [np.zeros(shape) for shape in shapes])
