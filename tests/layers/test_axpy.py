"""Axpy against plain loops."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("factors", [(2, 3), (2, 3, 1, 1)])
def test_against_plain_loops(factors):
    rng = np.random.RandomState(1)
    a, x, y, seed = (rng.standard_normal(s).astype(np.float32) for s in (factors, *[(2, 3, 4, 5)] * 3))
    runner = Runner('type: "Axpy"', [a, x, y])
    (out,) = runner.forward()
    da, dx, dy = runner.backward([seed])
    for n in range(2):
        for c in range(3):
            factor = float(a[n, c].item())
            np.testing.assert_allclose(out[n, c], factor * x[n, c] + y[n, c], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(dx[n, c], factor * seed[n, c], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(da[n, c].item(), (seed[n, c] * x[n, c]).sum(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(dy, seed)


@pytest.mark.parametrize(
    "shapes", [[(3, 2), (2, 3, 4), (2, 3, 4)], [(2, 3), (2, 3, 4), (2, 3, 5)], [(2, 3, 4)] * 3]
)
def test_shapes_that_do_not_agree(shapes):
    with pytest.raises(LayerError, match="a, x and y have the shapes"):
        Runner('type: "Axpy"', [np.zeros(shape) for shape in shapes])
