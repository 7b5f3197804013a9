"""KLDivLoss and NSSLoss: the original's gradients, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

RNG = np.random.default_rng(9)
X, FIXATIONS = RNG.uniform(0.1, 1, (2, 2, 1, 3, 4))


def test_the_originals_gradient_of_the_divergence():
    runner = Runner("type: 'KLDivLoss'", [X, FIXATIONS], dtype=np.float64)
    runner.forward()
    diff = runner.backward([np.array(3.0)])[0]
    for n, c, i, j in np.ndindex(X.shape):
        p = FIXATIONS[n, c, i, j] / FIXATIONS[n].sum()
        total, x = X[n].sum(), X[n, c, i, j]
        assert diff[n, c, i, j] == pytest.approx(-p * (total - x) / (total * x) * 3 / 2, rel=1e-4)


def test_equal_maps_have_no_divergence():
    (loss,) = Runner("type: 'KLDivLoss'", [X, 7 * X], dtype=np.float64).forward()
    assert abs(loss) < 1e-4


def test_saliency_where_eyes_rested():
    fixations = np.zeros((2, 1, 3, 4))
    fixations[1, 0, 2, 1], fixations[0, 0, 0, 3], fixations[0, 0, 1, 0] = 5, 1, 1
    (loss,) = Runner("type: 'NSSLoss'", [X, fixations], dtype=np.float64).forward()
    assert loss == pytest.approx(-(X[1, 0, 2, 1] + (X[0, 0, 0, 3] + X[0, 0, 1, 0]) / 2) / 2)


def test_errors():
    for name in ("KLDivLoss", "NSSLoss"):
        with pytest.raises(LayerError, match="expected N x 1 x H x W, both the same"):
            Runner(f"type: '{name}'", [X, FIXATIONS.reshape(2, 1, 4, 3)])
        with pytest.raises(LayerError, match="expected N x 1 x H x W"):
            Runner(f"type: '{name}'", [X.reshape(2, 12), FIXATIONS.reshape(2, 12)])
    with pytest.raises(LayerError, match="image 1 has no fixation"):
        Runner("type: 'NSSLoss'", [X, FIXATIONS * [[[[1]]], [[[0]]]]]).forward()
