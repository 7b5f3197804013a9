"""BReLU: both limits have to be there, and the right way round."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize(
    ("params", "message"),
    [("", "give 'brelu_param"), ("minval: 0", "both"), ("minval: 1 maxval: 0", "minval 1 is above maxval 0")],
)
def test_errors(params, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: 'BReLU' brelu_param {{ {params} }}", [np.ones(3)])


def test_a_limit_is_within():
    runner = Runner("type: 'BReLU' brelu_param { minval: -1 maxval: 2 }", [np.array([-1.5, -1, 0, 2, 3])])
    assert runner.forward()[0].tolist() == [-1, -1, 0, 2, 2]
    assert runner.backward([np.arange(1.0, 6)])[0].tolist() == [0, 2, 3, 4, 0]
