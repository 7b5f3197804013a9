"""Bias against plain loops, and biases that do not fit."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    ("params", "axis", "shape"),
    [
        ("", 1, (3,)),
        ("axis: 0 num_axes: 2", 0, (2, 3)),
        ("axis: -2 num_axes: -1", 2, (4, 5)),
        ("num_axes: 0", 1, ()),
    ],
)
@pytest.mark.parametrize("learned", [True, False])
def test_against_plain_loops(params, axis, shape, learned, in_place):
    rng = np.random.RandomState(3)
    x, diff = rng.standard_normal((2, 2, 3, 4, 5)).astype(np.float32)
    bias = rng.standard_normal(shape).astype(np.float32)
    runner = Runner(
        f'type: "Bias" bias_param {{ {params} }}', [x] if learned else [x, bias], in_place=in_place
    )
    if learned:
        assert runner.layer.blobs[0].shape == shape
        assert not runner.layer.blobs[0].data.any()
        runner.layer.blobs[0].data[...] = bias
    top, bias_diff = np.zeros(x.shape), np.zeros(shape)
    for i in np.ndindex(*x.shape):
        place = i[axis : axis + len(shape)]
        top[i] = x[i] + bias[place]
        bias_diff[place] += diff[i]
    np.testing.assert_allclose(runner.forward()[0], top, rtol=1e-6, atol=1e-6)
    x_diff, *others = runner.backward([diff])
    np.testing.assert_array_equal(x_diff, diff)
    got = runner.layer.blobs[0].diff if learned else others[0]
    np.testing.assert_allclose(got, bias_diff, rtol=1e-5, atol=1e-5)


def test_filler():
    layer = 'type: "Bias" bias_param { filler { type: "constant" value: 2 } }'
    assert Runner(layer, [np.array([[1.0, 5]])]).forward()[0].tolist() == [[3, 7]]


@pytest.mark.parametrize("name", ["Bias", "Scale"])
@pytest.mark.parametrize(
    ("params", "shapes", "message"),
    [
        ("axis: 2 num_axes: 2", [(2, 3, 5)], r"num_axes is 2 from axis 2 on, .*\(2, 3, 5\); give 0 to 1"),
        ("num_axes: -2", [(2, 3, 5)], r"num_axes is -2 .* give 0 to 2, or -1 for all"),
        ("axis: 3", [(2, 3, 5)], r"axis 3 is out of range"),
        ("", [(2, 3, 5), (4,)], r"the shape \(4,\) does not fit the bottom's \(2, 3, 5\) from axis 1 on"),
        ("axis: 2", [(2, 3, 5), (5, 3)], r"the shape \(5, 3\) does not fit"),
    ],
)
def test_what_does_not_fit(name, params, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "{name}" {name.lower()}_param {{ {params} }}', [np.zeros(shape) for shape in shapes])


@pytest.mark.parametrize("name", ["Bias", "Scale"])
def test_other_channels_later(name):
    runner = Runner(f'type: "{name}"', [np.zeros((2, 3, 5))])
    with pytest.raises(LayerError, match=r"the shape \(3,\) does not fit the bottom's \(2, 4, 5\)"):
        runner.feed([np.zeros((2, 4, 5))])
