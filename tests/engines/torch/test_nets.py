"""Where a later layer changes in place what a backward reads, torch's gradient is Caffe's, not the true one."""

import warnings

import numpy as np
import pytest

from caffe_compat import Net

pytest.importorskip("torch")

NET = """
force_backward: true
layer {{ name: "x" type: "Input" top: "x" top: "w" input_param {{ shape {{ dim: 2 dim: 3 dim: 5 }} }} }}
layer {{ name: "first" {first} top: "y" }}
layer {{ name: "then" {then} bottom: "y" top: "y" }}
layer {{ name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 0.7
    reduction_param {{ operation: SUMSQ }} }}
"""
RELU = 'type: "ReLU" relu_param { negative_slope: 0.5 }'
HALF = 'type: "Power" power_param { scale: 0.5 shift: -0.25 }'


def gradient(path, engine):
    net = Net(str(path), 0, engine=engine)
    rng = np.random.RandomState(3)
    for name in ("x", "w"):
        net.blobs[name].data[...] = rng.uniform(0.5, 2, (2, 3, 5)) * rng.choice([-1, 1], (2, 3, 5))
    net.forward()
    net.backward()
    return net.blobs["x"].diff.copy()


@pytest.mark.parametrize("then", [RELU, HALF], ids=["ReLU", "Power"])
@pytest.mark.parametrize(
    ("first", "left"),
    [
        ('type: "Sigmoid" bottom: "x"', True),
        ('type: "TanH" bottom: "x"', True),
        ('type: "ELU" bottom: "x"', True),
        ('type: "Exp" bottom: "x"', True),
        ('type: "Softmax" bottom: "x"', True),
        (
            'type: "Eltwise" bottom: "x" bottom: "w" eltwise_param { operation: PROD stable_prod_grad: false }',
            True,
        ),
        ('type: "Eltwise" bottom: "x" bottom: "w" eltwise_param { operation: PROD }', False),
        ('type: "Eltwise" bottom: "x" bottom: "w"', False),
    ],
)
def test_as_the_strict_engine(tmp_path, first, left, then):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.format(first=first, then=then))
    want = gradient(path, "strict")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        got = gradient(path, "torch")
    assert np.abs(want).max() > 0.01
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6 * np.abs(want).max())
    assert any("no torch counterpart: first" in str(one.message) for one in told) == left
