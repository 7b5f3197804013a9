"""Scale against plain loops; what does not fit is tested with Bias."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(
    ("params", "axis", "shape"),
    [
        ("", 1, (3,)),
        ("axis: 0 num_axes: 2", 0, (2, 3)),
        ("axis: -2 num_axes: -1", 2, (4, 5)),
        ("num_axes: 0", 1, ()),
        ("axis: 0 num_axes: -1", 0, (2, 3, 4, 5)),
    ],
)
@pytest.mark.parametrize("learned", [True, False])
def test_against_plain_loops(params, axis, shape, learned, with_bias, in_place):
    rng = np.random.RandomState(3)
    x, diff = rng.standard_normal((2, 2, 3, 4, 5)).astype(np.float32)
    scale, bias = rng.standard_normal((2, *shape)).astype(np.float32)
    layer = f'type: "Scale" scale_param {{ {params} bias_term: {str(with_bias).lower()} }}'
    runner = Runner(layer, [x] if learned else [x, scale], in_place=in_place)
    blobs = list(runner.layer.blobs)
    assert [blob.shape for blob in blobs] == [shape] * (learned + with_bias)
    if learned:
        assert (blobs[0].data == 1).all()
        blobs[0].data[...] = scale
    if with_bias:
        assert not blobs[-1].data.any()
        blobs[-1].data[...] = bias
    top, x_diff = np.zeros(x.shape), np.zeros(x.shape)
    scale_diff, bias_diff = np.zeros(shape), np.zeros(shape)
    for i in np.ndindex(*x.shape):
        place = i[axis : axis + len(shape)]
        top[i] = x[i] * scale[place] + (bias[place] if with_bias else 0)
        x_diff[i] = diff[i] * scale[place]
        scale_diff[place] += diff[i] * x[i]
        bias_diff[place] += diff[i]
    np.testing.assert_allclose(runner.forward()[0], top, rtol=1e-5, atol=1e-6)
    for blob in blobs:
        blob.diff[...] = 2
    got, *others = runner.backward([diff])
    np.testing.assert_allclose(got, x_diff, rtol=1e-6)
    got = blobs[0].diff - 2 if learned else others[0]
    np.testing.assert_allclose(got, scale_diff, rtol=1e-5, atol=1e-5)
    if with_bias:
        np.testing.assert_allclose(blobs[-1].diff - 2, bias_diff, rtol=1e-5, atol=1e-5)


def test_fillers():
    layer = 'type: "Scale" scale_param { filler { value: 3 } bias_term: true bias_filler { value: 2 } }'
    assert Runner(layer, [np.array([[1.0, 5]])]).forward()[0].tolist() == [[5, 17]]


def test_a_bias_that_the_scale_outgrows():
    runner = Runner('type: "Scale" scale_param { bias_term: true }', [np.zeros((2, 3, 5)), np.zeros(3)])
    with pytest.raises(LayerError, match=r"the shape \(3,\) does not fit the bottom's \(2, 4, 5\)"):
        runner.feed([np.zeros((2, 4, 5)), np.zeros(4)])
