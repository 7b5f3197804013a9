"""GRN and ScaleFilter: gradients that are passed on, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

MAPS = np.array([[[[3.0, 0]], [[4.0, 2]]]])


def test_a_place_has_length_1():
    top = Runner('type: "GRN"', [MAPS]).forward()[0]
    np.testing.assert_allclose(top, [[[[0.6, 0]], [[0.8, 1]]]], rtol=1e-6)
    assert np.isnan(Runner('type: "GRN" grn_param { bias: 0 }', [0 * MAPS]).forward()[0]).all()
    assert not Runner('type: "GRN"', [0 * MAPS]).forward()[0].any()


def test_a_dummy_passes_the_gradient_on():
    runner = Runner('type: "GRN" grn_param { dummy_backward: true }', [MAPS])
    runner.forward()
    np.testing.assert_array_equal(runner.backward([MAPS + 1])[0], MAPS + 1)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("'GRN' grn_param { bias: -1 }", (2, 3), "bias is -1; it must be at least 0"),
        ("'GRN'", (3,), "expected N x C x anything"),
        ("'ScaleFilter'", (2, 3, 4, 5), "min_scale is 0, max_scale 0"),
        ("'ScaleFilter' scale_filter_param { min_scale: 1 max_scale: 2 }", (2, 3), "expected N x C x H x W"),
    ],
)
def test_what_is_wrong(text, shape, expected):
    with pytest.raises(LayerError, match=expected):
        Runner(f"type: {text}", [np.ones(shape)])
