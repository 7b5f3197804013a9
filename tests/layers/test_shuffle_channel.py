"""ShuffleChannel against plain indexing."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("group", [1, 2, 3, 6])
def test_takes_from_each_group_in_turn(group):
    x = np.random.RandomState(1).standard_normal((2, 6, 4, 5)).astype(np.float32)
    runner = Runner(f'type: "ShuffleChannel" shuffle_channel_param {{ group: {group} }}', [x])
    (y,) = runner.forward()
    size = 6 // group
    order = [g * size + k for k in range(size) for g in range(group)]
    for channel, source in enumerate(order):
        np.testing.assert_array_equal(y[:, channel], x[:, source])
    (diff,) = runner.backward([y * 3])
    np.testing.assert_array_equal(diff, x * 3)


@pytest.mark.parametrize("group", [0, 4])
def test_groups_that_do_not_fit(group):
    with pytest.raises(LayerError, match=f"group is {group} and the bottom of shape"):
        Runner(f'type: "ShuffleChannel" shuffle_channel_param {{ group: {group} }}', [np.zeros((2, 6, 4))])
