"""Exp against plain Python, and wrong bases."""

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    ("params", "base", "scale", "shift"),
    [
        ("", math.e, 1, 0),
        ("scale: -0.5 shift: 2", math.e, -0.5, 2),  # the shift with e as base, where the fork slips
        ("base: 2 scale: 0.5 shift: 3", 2, 0.5, 3),
        ("base: 0.1", 0.1, 1, 0),
    ],
)
def test_against_plain_python(params, base, scale, shift, in_place):
    x, diff = np.random.RandomState(3).standard_normal((2, 2, 3, 2, 5)).astype(np.float32)
    runner = Runner(f'type: "Exp" exp_param {{ {params} }}', [x], in_place=in_place)
    want = np.array([base ** (shift + scale * float(v)) for v in x.flat]).reshape(x.shape)
    np.testing.assert_allclose(runner.forward()[0], want, rtol=2e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * want * scale * math.log(base), rtol=3e-6)


@pytest.mark.parametrize("base", ["0", "-2", "inf", "nan"])
def test_wrong_base(base):
    with pytest.raises(LayerError, match=f"base is {base}; it must be greater than 0, or -1 for e"):
        Runner(f'type: "Exp" exp_param {{ base: {base} }}', [np.zeros((2, 3))])
