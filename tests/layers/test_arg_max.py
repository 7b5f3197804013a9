"""ArgMax against sorted lists of pairs."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def layer(params):
    return f'type: "ArgMax" argmax_param {{ {params} }}'


def naive(line, k):
    """The k largest pairs (value, index): of equal values the one with the larger index comes first."""
    return sorted(((value, i) for i, value in enumerate(line)), reverse=True)[:k]


def values(shape, ties):
    rng = np.random.RandomState(1)
    return (
        rng.randint(0, 4, shape).astype(np.float32) if ties else rng.standard_normal(shape).astype(np.float32)
    )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("out_max_val", [False, True])
def test_along_an_axis(axis, k, out_max_val, ties):
    x = values((5, 6, 7), ties)
    (top,) = Runner(layer(f"axis: {axis} top_k: {k} out_max_val: {str(out_max_val).lower()}"), [x]).forward()
    lines, tops = np.moveaxis(x, axis, -1), np.moveaxis(top, axis, -1)
    assert tops.shape == (*lines.shape[:2], k)
    for at in np.ndindex(lines.shape[:2]):
        assert tops[at].tolist() == [pair[not out_max_val] for pair in naive(lines[at].tolist(), k)]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("k", [1, 3, 12])
@pytest.mark.parametrize(
    "shape, rest", [((2, 12), ()), ((3, 4, 5), ()), ((2, 3, 2, 5), (1,)), ((2, 2, 3, 2, 2), (1, 1))]
)
def test_over_each_item(shape, rest, k, ties):
    x = values(shape, ties)
    (indices,) = Runner(layer(f"top_k: {k}"), [x]).forward()
    (both,) = Runner(layer(f"top_k: {k} out_max_val: true"), [x]).forward()
    assert indices.shape == (shape[0], 1, k, *rest)
    assert both.shape == (shape[0], 2, k, *rest)
    for n in range(shape[0]):
        want = naive(x[n].ravel().tolist(), k)
        assert indices[n].ravel().tolist() == [index for _, index in want]
        assert both[n, 0].ravel().tolist() == [index for _, index in want]
        assert both[n, 1].ravel().tolist() == [value for value, _ in want]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("top_k: 0", "top_k is 0"),
        ("top_k: 13", r"top_k is 13, but a bottom of shape \(2, 3, 4\) has 12 elements"),
        ("top_k: 4 axis: 1", "has 3 elements to choose from"),
        ("axis: 3", "axis 3 is out of range"),
    ],
)
def test_bad_params_are_refused(params, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer(params), [np.zeros((2, 3, 4))])
