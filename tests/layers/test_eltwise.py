"""Eltwise against plain Python."""

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.registry import computed_type
from layers.harness import Runner


def eltwise(params: str, bottoms: list) -> Runner:
    return Runner(f'type: "Eltwise" eltwise_param {{ {params} }}', bottoms)


def values(n: int) -> list[np.ndarray]:
    return list(np.random.RandomState(n).standard_normal((n, 2, 3, 5)).astype(np.float32))


def test_a_blob_of_coefficients():
    x, y, z = np.ones((3, 2)), np.full((3, 2), 10.0), np.array([[1, 2, 3], [0, 1, -1]])
    runner = eltwise("coeff_blob: true coeff: 2 coeff: 1", [x, y, z])
    assert computed_type(runner.layer) == "CoeffBlobEltwise"
    (top,) = runner.forward()
    np.testing.assert_array_equal(top, [[2, 2], [14, 14], [-4, -4]])
    with pytest.raises(LayerError, match="coeff_blob has no effect here; it is for operation SUM"):
        eltwise("coeff_blob: true operation: PROD", [x, y, z])
    with pytest.raises(LayerError, match=r"the shape \(3, 2\); expected 2 x the first dims of \(3, 2\)"):
        eltwise("coeff_blob: true", [x, y, x])


DIFF = np.random.RandomState(9).standard_normal((2, 3, 5)).astype(np.float32)


@pytest.mark.parametrize("stable", ["true", "false"])
@pytest.mark.parametrize("n", [2, 4])
def test_product(n, stable):
    xs = values(n)
    runner = eltwise(f"operation: PROD stable_prod_grad: {stable}", xs)
    (y,) = runner.forward()
    diffs = runner.backward([DIFF])
    for at in np.ndindex(y.shape):
        assert y[at] == pytest.approx(math.prod(x[at] for x in xs), rel=1e-5)
        for i in range(n):
            others = math.prod(x[at] for j, x in enumerate(xs) if j != i)
            assert diffs[i][at] == pytest.approx(others * DIFF[at], rel=1e-4)


def test_the_stable_product_has_a_gradient_where_a_factor_is_zero():
    zero, two = np.zeros((1, 2)), np.full((1, 2), 2.0)
    with np.errstate(invalid="ignore"):
        for stable, want in (("true", [2, 2]), ("false", [np.nan, np.nan])):
            runner = eltwise(f"operation: PROD stable_prod_grad: {stable}", [zero, two])
            runner.forward()
            np.testing.assert_array_equal(runner.backward([np.ones((1, 2))])[0], [want])


@pytest.mark.parametrize("coeffs", [[], [1, -2, 0.5]])
def test_sum(coeffs):
    xs = values(3)
    runner = eltwise("operation: SUM " + " ".join(f"coeff: {c}" for c in coeffs), xs)
    weights = coeffs or [1, 1, 1]
    np.testing.assert_allclose(
        runner.forward()[0], sum(c * x for c, x in zip(weights, xs, strict=True)), rtol=1e-5, atol=1e-6
    )
    for c, diff in zip(weights, runner.backward([DIFF]), strict=True):
        np.testing.assert_allclose(diff, c * DIFF, rtol=1e-6)


def test_maximum():
    xs = values(4)
    runner = eltwise("operation: MAX", xs)
    (y,) = runner.forward()
    diffs = runner.backward([DIFF])
    for at in np.ndindex(y.shape):
        winner = max(range(4), key=lambda i: xs[i][at])
        assert y[at] == xs[winner][at]
        assert [diff[at] for diff in diffs] == [DIFF[at] if i == winner else 0 for i in range(4)]


def test_maximum_of_equal_values_goes_to_the_second_of_two_and_else_to_the_earlier():
    runner = eltwise("operation: MAX", [np.array([1.0, 5, 0]), np.array([1.0, 0, 5]), np.array([1.0, 5, 5])])
    runner.forward()
    diffs = runner.backward([np.array([1.0, 2, 3])])
    assert [diff.tolist() for diff in diffs] == [[0, 2, 0], [1, 0, 3], [0, 0, 0]]


def test_coefficients_of_a_maximum_have_no_effect():
    with pytest.warns(UserWarning, match="coeff is given for operation MAX; it has no effect, as in Caffe"):
        runner = eltwise("operation: MAX coeff: -1 coeff: 5", [np.array([1.0, 3]), np.array([2.0, 1])])
    assert runner.forward()[0].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("params", "shapes", "message"),
    [
        ("coeff: 1", [(2, 3)] * 2, "1 coeffs for 2 bottoms"),
        ("operation: PROD coeff: 1 coeff: 2", [(2, 3)] * 2, "given for operation PROD; only SUM"),
        ("", [(2, 3), (2, 3), (3, 2)], r"bottom\[2\] has the shape \(3, 2\), bottom\[0\] \(2, 3\)"),
    ],
)
def test_bad_params_and_shapes_are_refused(params, shapes, message):
    with pytest.raises(LayerError, match=message):
        eltwise(params, [np.ones(shape) for shape in shapes])
