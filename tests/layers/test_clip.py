"""Clip against plain Python, and wrong limits."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
def test_against_plain_python(in_place):
    x = np.array([[-3, -1, -0.5], [0.5, 2, 2.5]], np.float32)  # the limits themselves belong to the inside
    diff = np.array([[2, 3, 4], [-5, 6, 7]], np.float32)
    runner = Runner('type: "Clip" clip_param { min: -1 max: 2 }', [x], in_place=in_place)
    assert runner.forward()[0].tolist() == [[-1, -1, -0.5], [0.5, 2, 2]]
    assert runner.backward([diff])[0].tolist() == [[0, 3, 4], [-5, 6, 0]]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("", "has no clip_param"),
        ("clip_param { min: 2 max: 1 }", "clip_param.min 2 is above clip_param.max 1"),
    ],
)
def test_wrong_limits(params, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "Clip" {params}', [np.zeros((2, 3))])
