"""Reorg: darknet's order, forth and back, and what it refuses."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def reorg(x: np.ndarray, params: str = "stride: 2") -> Runner:
    return Runner(f'type: "Reorg" reorg_param {{ {params} }}', [x])


def test_the_order_of_one_channel_of_blocks():
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 2, 2)  # read as 1 x 4 x 4
    (y,) = reorg(x).forward()
    assert y.shape == (1, 16, 1, 1)
    assert y.ravel().tolist() == [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15]


def test_reverse_reads_what_forward_wrote():
    x = np.random.RandomState(1).standard_normal((2, 8, 4, 6)).astype(np.float32)
    (y,) = reorg(x.reshape(2, 2, 8, 12), "stride: 1").forward()
    np.testing.assert_array_equal(y, x.reshape(2, 2, 8, 12))
    (there,) = reorg(x).forward()
    (back,) = reorg(there.reshape(2, 8, 4, 6), "stride: 2 reverse: true").forward()
    np.testing.assert_array_equal(back, x.reshape(2, 2, 8, 12))


def test_the_gradient_is_0():
    runner = reorg(np.ones((1, 4, 2, 2)))
    runner.forward()
    (diff,) = runner.backward([np.ones((1, 16, 1, 1))])
    assert not diff.any()


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("stride: 0", (1, 4, 4, 4), "reorg_param.stride is 0"),
        ("", (1, 4, 5, 4), "H and W multiples of 2"),
        ("stride: 2", (1, 6, 4, 4), "C a multiple of 4, H and W multiples of 2"),
        ("stride: 2", (1, 4, 5, 4), "H and W multiples of 2"),
        ("stride: 2 reverse: true", (1, 2, 4, 4), "C a multiple of 4$"),
        ("stride: 2", (4, 4, 4), r"the bottom has the shape \(4, 4, 4\)"),
    ],
)
def test_errors(params, shape, message):
    with pytest.raises(LayerError, match=message):
        reorg(np.zeros(shape), params)
