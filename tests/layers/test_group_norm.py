"""GroupNorm: in place, params, errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

X = np.random.default_rng(6).standard_normal((2, 6, 3, 4))


def text(params: str) -> str:
    return f"type: 'GroupNorm' group_norm_param {{ {params} }}"


def test_in_place_is_the_same():
    seed = [np.random.default_rng(7).standard_normal(X.shape)]
    for params in ("group_num: 3", "group: 3 scale_filler { value: 2 }"):
        tops, diffs = [], []
        for in_place in (False, True):
            runner = Runner(text(params), [X], in_place=in_place, dtype=np.float64)
            tops.append(runner.forward()[0])
            diffs.append(runner.backward(seed)[0])
        np.testing.assert_allclose(*tops)
        np.testing.assert_allclose(*diffs)


def test_32_groups_without_params_are_the_default():
    runner = Runner("type: 'GroupNorm'", [np.random.default_rng(8).standard_normal((2, 64, 5))])
    assert not runner.layer.blobs
    groups = runner.forward()[0].reshape(2, 32, 10)
    np.testing.assert_allclose(groups.mean(axis=2), 0, atol=1e-6)
    np.testing.assert_allclose(groups.var(axis=2), 1, atol=1e-3)


def test_a_scale_that_nothing_fills_is_0():
    assert not Runner(text("group: 2"), [X]).forward()[0].any()


@pytest.mark.parametrize(
    ("params", "shape", "message"),
    [
        ("group_num: 4", (2, 6, 3), "expected channels for 4 groups"),
        ("group_num: 0", (2, 6, 3), "expected channels for 0 groups"),
        ("group_num: 1", (6,), "expected channels for 1 groups"),
        ("scale_filler { value: 1 }", (2, 6), "go with group"),
        ("group: 2 group_num: 2", (2, 6), "no group_num"),
    ],
)
def test_errors(params, shape, message):
    with pytest.raises(LayerError, match=message):
        Runner(text(params), [np.ones(shape)])


def test_other_channels_than_the_params_have():
    with pytest.raises(LayerError, match="has 4 channels, the params have 6"):
        Runner(text("group: 2"), [X]).feed([np.ones((2, 4, 3))])
