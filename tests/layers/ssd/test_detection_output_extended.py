"""DetectionOutputExtended: places behind the boxes, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

PARAMS = "num_classes: 2 confidence_threshold: 0.5"


def runner(scores, shape=(1, 2, 3, 8), params=PARAMS) -> Runner:
    """Two priors at each of 2 x 3 places, none of which overlaps another one."""
    text = f'type: "DetectionOutputExtended" detection_output_param {{ {params} }}'
    low = np.arange(12.0)[:, None] / 16
    priors = np.stack([np.hstack([low, low, low + 0.05, low + 0.05]).ravel(), np.full(48, 0.1)])[None]
    both = np.stack([1 - scores, scores], axis=-1)
    return Runner(text, [np.zeros(shape), both.reshape(len(scores), -1), priors])


def test_each_detection_says_its_prior_column_and_row():
    scores = np.zeros((1, 12))
    scores[0, [3, 8]] = 0.75, 0.9
    rows = runner(scores).forward()[0][0, 0]
    np.testing.assert_allclose(rows[:, :4], [[0, 1, 0.9, 0.5], [0, 1, 0.75, 0.1875]], rtol=1e-6)
    assert rows[:, 7:].tolist() == [[0, 1, 1], [1, 1, 0]]


def test_without_a_detection_each_image_has_a_row():
    assert runner(np.zeros((1, 12))).forward()[0].tolist() == [[[[0] + 9 * [-1]]]]


@pytest.mark.parametrize(
    ("shape", "params", "expected"),
    [
        ((1, 2, 3, 8), "num_classes: 3", "(num_classes is 3; it must be 2|for each of)"),
        ((1, 48), PARAMS, "expected N x H x W x 4 deltas a prior"),
        ((1, 2, 3, 8), f"{PARAMS} share_location: false", "write true"),
    ],
)
def test_what_is_wrong(shape, params, expected):
    with pytest.raises(LayerError, match=expected):
        runner(np.zeros((1, 12)), shape, params)
