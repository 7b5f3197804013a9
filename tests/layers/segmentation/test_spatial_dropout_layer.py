"""ENet's dropout, which is built in as a Python layer."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

X = np.random.RandomState(1).standard_normal((3, 40, 2, 5)).astype(np.float32)


def dropout(param_str, x=X) -> Runner:
    python = f'module: "spatial_dropout" layer: "SpatialDropoutLayer" param_str: "{param_str}"'
    return Runner(f'type: "Python" python_param {{ {python} }}', [x])


def test_whole_channels_are_dropped_in_training():
    np.random.seed(3)
    runner = dropout("{'phase': 'TRAIN', 'p': '0.25'}")
    (top,) = runner.forward()
    np.random.seed(3)
    kept = np.stack([np.random.binomial(np.ones(40, int), 0.75) for _ in range(3)])[:, :, None, None]
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(top, X * kept / 0.75, rtol=1e-6)
    np.testing.assert_allclose(runner.backward([np.ones(X.shape)])[0], np.broadcast_to(kept / 0.75, X.shape))


def test_testing_scales_too():
    np.testing.assert_allclose(dropout("{'phase': 'TEST', 'p': '0.2'}").forward()[0], X / 0.8, rtol=1e-6)


@pytest.mark.parametrize(
    "wrong", ["{'phase': 'TEST'}", "{'phase': 'TEST', 'p': '1'}", "{'p': 0.1, 'phase': 2}", "3"]
)
def test_what_is_wrong(wrong):
    with pytest.raises(LayerError, match="expected p, between 0 and 1, and the phase"):
        dropout(wrong)


def test_less_than_two_axes():
    with pytest.raises(LayerError, match="at least two axes"):
        dropout("{'phase': 'TEST', 'p': 0.2}", np.ones(3))
