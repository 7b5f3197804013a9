"""Input: shapes from the prototxt, data from the user."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

SHAPE, OTHER = "shape { dim: 2 dim: 3 }", "shape { dim: 4 }"


@pytest.mark.parametrize(
    ("shapes", "want"), [("", [(), ()]), (SHAPE, [(2, 3), (2, 3)]), (SHAPE + OTHER, [(2, 3), (4,)])]
)
def test_one_shape_for_all_one_a_top_or_none(shapes, want):
    runner = Runner(f'type: "Input" input_param {{ {shapes} }}', [], tops=2)
    assert [top.shape for top in runner.top] == want


def test_what_the_user_writes_and_reshapes_stays():
    runner = Runner(f'type: "Input" input_param {{ {SHAPE} }}', [])
    runner.top[0].reshape(5, 1)
    runner.top[0].data[...] = 7
    runner.layer.reshape([], runner.top)
    runner.layer.forward([], runner.top)
    np.testing.assert_array_equal(runner.top[0].data, np.full((5, 1), 7))


def test_a_wrong_number_of_shapes_is_refused():
    with pytest.raises(LayerError, match="has 2 shapes for 3 tops; give one, one a top, or none"):
        Runner(f'type: "Input" input_param {{ {SHAPE} {OTHER} }}', [], tops=3)
