"""HingeLoss against plain loops; labels that do not fit are tested with MultinomialLogisticLoss."""

import numpy as np
import pytest

from layers.harness import Runner


@pytest.mark.parametrize("shape", [(4, 6), (4, 2, 3)])
@pytest.mark.parametrize(("params", "power"), [("", 1), ("hinge_loss_param { norm: L2 }", 2)])
def test_against_plain_loops(params, power, shape):
    x = np.random.RandomState(3).standard_normal((4, 6)).astype(np.float32)
    labels = np.array([3, 0, 5, 5])
    x[0, 3], x[1, 1] = 1, -1  # on the corner: no gradient
    runner = Runner(f'type: "HingeLoss" {params}', [x.reshape(shape), labels])
    loss, diff = 0.0, np.zeros((4, 6))
    for i, c in np.ndindex(4, 6):
        sign = 1 if labels[i] == c else -1
        margin = max(0, 1 - sign * float(x[i, c]))
        loss += margin**power / 4
        diff[i, c] = -sign * 2.5 / 4 * (2 * margin if power == 2 else margin > 0)
    np.testing.assert_allclose(runner.forward()[0], loss, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([2.5])[0], diff.reshape(shape), rtol=1e-6)
