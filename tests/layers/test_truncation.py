"""Truncation: the gradient that leads back, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LAYER = 'type: "Truncation" truncation_param { %s }'


@pytest.mark.parametrize(
    "fields, want",
    [
        ("truncation_min: 0 truncation_max: 1", [1, 0, 1, -1, 0, -1]),
        ("lower_bound: 0 upper_bound: 1", [0, 0, 1, -1, 0, 0]),
    ],
)
def test_the_gradient_leads_back_between_the_bounds(fields, want):
    runner = Runner(LAYER % fields, [np.array([-1, -1, 0.5, 0.5, 2, 2])])
    np.testing.assert_array_equal(runner.forward()[0], [0, 0, 0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(runner.backward([np.array([1.0, -1, 1, -1, 1, -1])])[0], want)


@pytest.mark.parametrize(
    "fields, message",
    [
        ("", "give truncation_min and truncation_max, or lower_bound and upper_bound"),
        ("truncation_min: 0.5 lower_bound: 1", "give truncation_min and truncation_max, or"),
        ("truncation_min: 3", "the lower bound 3 is above the upper bound 1"),
    ],
)
def test_errors(fields, message):
    with pytest.raises(LayerError) as error:
        Runner(LAYER % fields, [np.zeros(3)])
    assert message in str(error.value)
