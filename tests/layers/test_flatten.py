"""Flatten: the same elements in the same order, in shared memory."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        ("", (2, 60)),
        ("axis: 0", (120,)),
        ("axis: 2", (2, 3, 20)),
        ("axis: -2", (2, 3, 20)),
        ("axis: 1 end_axis: 2", (2, 12, 5)),
        ("axis: 0 end_axis: -3", (6, 4, 5)),
        ("axis: 2 end_axis: 2", (2, 3, 4, 5)),
        ("axis: 2 end_axis: 1", (2, 3, 1, 4, 5)),
    ],
)
def test_elements_keep_their_order_and_share_memory(params, shape):
    x = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
    runner = Runner(f'type: "Flatten" flatten_param {{ {params} }}', [x])
    (y,) = runner.forward()
    assert y.shape == shape
    assert y.ravel().tolist() == list(range(120))
    assert np.shares_memory(runner.top[0].data, runner.bottom[0].data)
    (diff,) = runner.backward([-y])
    np.testing.assert_array_equal(diff, -x)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("axis: 4", r"axis 4 is out of range for a bottom of shape \(2, 3, 4, 5\)"),
        ("end_axis: -5", "axis -5 is out of range"),
        ("axis: 3 end_axis: 1", "end_axis 1 lies before axis 3"),
    ],
)
def test_axes_that_do_not_fit_are_refused(params, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "Flatten" flatten_param {{ {params} }}', [np.zeros((2, 3, 4, 5))])
