"""Channels that become patches of pixels."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.registry import computed_type
from layers.harness import Runner

TEXT = (
    "type: 'Reshape' reshape_param { new_channel: 1 new_height: %d new_width: %d new_patch_width: %d "
    "new_patch_height: %d }"
)


def test_columns_of_a_patch_come_first():
    runner = Runner(TEXT % (2, 6, 3, 2), [np.arange(12).reshape(1, 6, 1, 2)])
    assert computed_type(runner.layer) == "PatchReshape"
    want = [[0, 4, 8, 1, 5, 9], [2, 6, 10, 3, 7, 11]]
    np.testing.assert_array_equal(runner.forward()[0], [[want]])
    np.testing.assert_array_equal(runner.backward([[[want]]])[0].ravel(), np.arange(12))


@pytest.mark.parametrize(
    "sizes, shape, told",
    [
        ((2, 6, 3, 0), (1, 6, 1, 2), "new_patch_height 0; each must be at least 1"),
        ((2, 6, 3, 2), (1, 6, 2, 1), "patches of 2 x 3 pixels of 1 channels do not make 2 x 6 pixels of it"),
        ((2, 6, 3, 2), (1, 7, 1, 2), "do not make"),
        ((2, 6, 3, 2), (6,), "do not make"),
    ],
)
def test_what_does_not_fit(sizes, shape, told):
    with pytest.raises(LayerError, match=told):
        Runner(TEXT % sizes, [np.ones(shape)])


def test_all_sizes_are_needed():
    with pytest.raises(LayerError, match="new_channel 3, new_height 0"):
        Runner("type: 'Reshape' reshape_param { new_channel: 3 }", [np.ones((1, 3))])
