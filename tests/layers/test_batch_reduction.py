"""BatchReduction: ties, what pos takes, errors."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LAYER = 'type: "BatchReduction" batch_reduction_param { %s }'


def test_the_mean_of_the_greatest_and_its_gradient():
    made = Runner(LAYER % "reduction_param { operation: TOPK axis: 1 k: 2 }", [np.array([[3.0, 9, 9, 9, 1]])])
    assert made.forward()[0] == [9]
    np.testing.assert_array_equal(made.backward([np.array([4.0])])[0], [[0, 2, 2, 0, 0]])


def test_pos_takes_the_diagonal():
    x = np.arange(18.0).reshape(1, 3, 3, 2)
    made = Runner(LAYER % "pos: true reduction_param { axis: 1 }", [x])
    np.testing.assert_array_equal(made.forward()[0], [[0 + 8 + 16, 1 + 9 + 17]])
    diff = made.backward([np.ones((1, 2))])[0]
    np.testing.assert_array_equal(diff[0, :, :, 0], np.eye(3))


@pytest.mark.parametrize(
    "params, message",
    [
        ("reduction_param { operation: ASUM }", "operation ASUM is not one of"),
        ("level: 1 level: 2 pos: true", "one level only"),
        ("level: 1 level: 2 reduction_param { operation: TOPK }", "one level only"),
        ("pos: true reduction_param { operation: TOPK }", "SUM and MEAN only"),
        ("level: 0", "at least 1"),
        ("level: 2 reduction_param { axis: 1 }", "needs 4 elements"),
        ("pos: true reduction_param { axis: 0 }", "two axes of one size"),
        ("pos: true reduction_param { axis: 2 }", "two axes of one size"),
        ("reduction_param { operation: TOPK k: 3 }", "from 1 to the 2 elements"),
        ("reduction_param { axis: 3 }", "out of range"),
    ],
)
def test_errors(params, message):
    with pytest.raises(LayerError, match=message):
        Runner(LAYER % params, [np.zeros((2, 3, 4))])


def test_reduction_has_no_topk():
    with pytest.raises(LayerError, match="is for type BatchReduction"):
        Runner('type: "Reduction" reduction_param { operation: TOPK }', [np.zeros((2, 3))])
