"""MaskResize: its gradient where the top is larger, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def test_the_gradient_counts_the_two_places_around_a_pixel():
    """5 places of 2 pixels: 0, 0.4, 0.8, 1.2 and 1.6, which is too far out. Pixel 0 takes the first two, pixel 1,
    which lies at 2.5, the third and the fourth."""
    layer = 'type: "MaskResize" mask_resize_param { output_height: 1 output_width: 5 }'
    runner = Runner(layer, [np.array([10.0, 20.0]).reshape(1, 1, 1, 2)])
    np.testing.assert_allclose(runner.forward()[0].ravel(), [10, 14, 18, 20, 0], rtol=1e-6)
    seed = np.array([1, 10, 100, 1000, 10000]).reshape(1, 1, 1, 5)
    np.testing.assert_allclose(runner.backward([seed])[0].ravel(), [1 + 6, 80 + 1000], rtol=1e-6)


def test_what_is_wrong():
    with pytest.raises(LayerError, match="both must be above 0"):
        Runner('type: "MaskResize" mask_resize_param { output_height: 2 }', [np.ones((1, 1, 2, 2))])
    with pytest.raises(LayerError, match="expected N x C x H x W"):
        Runner('type: "MaskResize" mask_resize_param { output_height: 2 output_width: 2 }', [np.ones((2, 2))])
