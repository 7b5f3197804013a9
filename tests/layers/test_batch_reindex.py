"""BatchReindex against plain indexing."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("indices", [[2, 0, 2, 1, 2], [1], [0.9, 1.2], []])
def test_items_and_the_sum_of_their_gradients(indices):
    rng = np.random.RandomState(1)
    x = rng.standard_normal((3, 4, 2)).astype(np.float32)
    runner = Runner('type: "BatchReindex"', [x, np.array(indices)])
    (y,) = runner.forward()
    assert y.shape == (len(indices), 4, 2)
    seed = rng.standard_normal(y.shape).astype(np.float32)
    (diff, none) = runner.backward([seed])
    want = np.zeros(x.shape)
    for i, index in enumerate(indices):
        np.testing.assert_array_equal(y[i], x[int(index)])
        want[int(index)] += seed[i]
    np.testing.assert_allclose(diff, want, rtol=1e-5, atol=1e-6)
    assert none is None


@pytest.mark.parametrize("index", [-1, -0.5, 3, np.nan])
def test_an_index_out_of_range_is_refused(index):
    runner = Runner('type: "BatchReindex"', [np.zeros((3, 2)), np.array([0, index])])
    with pytest.raises(LayerError, match=f"index {index:g} is out of range for a batch of 3"):
        runner.forward()


def test_indices_have_one_axis():
    with pytest.raises(LayerError, match=r"\(3, 2\) and \(2, 1\), expected N x ... and K indices"):
        Runner('type: "BatchReindex"', [np.zeros((3, 2)), np.zeros((2, 1))])
