"""Log against plain Python, and wrong bases."""

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    ("params", "base", "scale", "shift"),
    [("", math.e, 1, 0), ("base: 10 scale: 2 shift: 1", 10, 2, 1), ("base: 0.5 shift: 0.25", 0.5, 1, 0.25)],
)
def test_against_plain_python(params, base, scale, shift, in_place):
    x, diff = np.random.RandomState(3).uniform(0.5, 2, (2, 2, 3, 2, 5)).astype(np.float32)
    runner = Runner(f'type: "Log" log_param {{ {params} }}', [x], in_place=in_place)
    want = np.array([math.log(shift + scale * float(v), base) for v in x.flat]).reshape(x.shape)
    slope = scale / (math.log(base) * (shift + scale * x.astype(float)))
    np.testing.assert_allclose(runner.forward()[0], want, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * slope, rtol=2e-6)


@pytest.mark.parametrize(("base", "message"), [("0", "base is 0"), ("1", "base is 1"), ("-3", "base is -3")])
def test_wrong_base(base, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "Log" log_param {{ base: {base} }}', [np.ones((2, 3))])
