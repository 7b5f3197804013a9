"""SeLu's fixed point, and what SeLuDropout and SpatialDropout refuse."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import set_random_seed
from layers.harness import Runner


def test_mean_and_variance_stay_as_they_are():
    x = np.random.RandomState(1).standard_normal((400, 500))
    set_random_seed(3)
    for layer in ('type: "SeLu"', 'type: "SeLuDropout"'):
        x = Runner(layer, [x]).forward()[0]
        assert abs(x.mean()) < 0.01 and abs(x.var() - 1) < 0.02


@pytest.mark.parametrize(
    "type, param", [("SeLuDropout", "selu_dropout_param"), ("SpatialDropout", "dropout_param")]
)
@pytest.mark.parametrize("ratio", [-0.1, 1])
def test_wrong_ratios(type, param, ratio):
    with pytest.raises(LayerError, match=f"dropout_ratio is {ratio:g}; it must be at least 0 and below 1"):
        Runner(f'type: "{type}" {param} {{ dropout_ratio: {ratio} }}', [np.zeros((2, 3))])


def test_spatial_dropout_needs_channels():
    with pytest.raises(LayerError, match=r"the bottom has the shape \(4,\); expected at least two axes"):
        Runner('type: "SpatialDropout"', [np.zeros(4)])
