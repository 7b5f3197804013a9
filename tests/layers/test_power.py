"""Power against plain Python, and the original's special cases."""

import numpy as np
import pytest

from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    ("power", "scale", "shift"),
    [(1, -2, 0.5), (2, 0.5, 3), (0.5, 2, 1), (-1, 1, 2), (3, 1, 0), (0, 4, 5)],
)
def test_against_plain_python(power, scale, shift, in_place):
    rng = np.random.RandomState(4)
    x, diff = rng.uniform(0.5, 2, (2, 2, 3, 5)).astype(np.float32)
    layer = f'type: "Power" power_param {{ power: {power} scale: {scale} shift: {shift} }}'
    runner = Runner(layer, [x], in_place=in_place)
    want = np.array([(shift + scale * float(v)) ** power for v in x.flat]).reshape(x.shape)
    slope = [power * scale * (shift + scale * float(v)) ** (power - 1) for v in x.flat]
    np.testing.assert_allclose(runner.forward()[0], want, rtol=2e-6)
    np.testing.assert_allclose(runner.backward([diff])[0], diff * np.reshape(slope, x.shape), rtol=5e-6)


@pytest.mark.parametrize(("params", "value"), [("power: 0 shift: 7", 1), ("scale: 0 shift: 3 power: 2", 9)])
def test_the_input_does_not_count_where_power_or_scale_is_zero(params, value):
    runner = Runner(f'type: "Power" power_param {{ {params} }}', [np.array([[np.nan, 0, 5]])])
    assert runner.forward()[0].tolist() == [[value] * 3]
    assert runner.backward([np.ones((1, 3))])[0].tolist() == [[0] * 3]
