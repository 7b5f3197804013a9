"""Layers that find the action units of faces: what no case shows."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

MASKS = '"AUMaskBasedLand" au_mask_based_land_param {{ img_size: 40 spatial_ratio: 0.2 spatial_scale: {} }}'


def made(layer: str, *bottoms, tops: int = 1) -> Runner:
    return Runner(f"type: {layer}", [np.asarray(b, np.float32) for b in bottoms], tops)


@pytest.mark.parametrize(
    ("layer", "shapes", "tops", "message"),
    [
        (MASKS.format(0.25), [(2, 91)], 13, "expected N x 98"),
        (MASKS.format(0.01), [(2, 98)], 13, "would have no pixel"),
        (MASKS.format("inf"), [(2, 98)], 13, "less than 32768 pixels wide"),
        (MASKS.format("nan"), [(2, 98)], 13, "less than 32768 pixels wide"),
        (MASKS.format(0.25).replace("0.2 ", "nan "), [(2, 98)], 13, "and the ratio a number"),
        ('"AlignDataTransform"', [(2, 6), (2, 4), (4,)], 1, "expected N x 2 L, N x 4 and L"),
        ('"EuclideanLoss2"', [(2, 3), (2, 3), (0,)], 1, "has to begin with a number"),
        ('"EuclideanLoss6"', [(2, 3), (2, 3), (2, 1)], 1, "as many elements"),
        ('"CosineSimilarityLoss"', [(2, 3), (2, 4)], 1, r"bottom\[1\] \(2, 4\)"),
    ],
)
def test_what_does_not_fit_is_an_error(layer, shapes, tops, message):
    with pytest.raises(LayerError, match=message):
        made(layer, *(np.ones(shape) for shape in shapes), tops=tops).forward()


def test_landmarks_that_are_not_finite():
    with pytest.raises(LayerError, match="not finite"):
        made(MASKS.format(0.25), np.full((1, 98), np.nan), tops=13).forward()


def test_an_order_of_no_landmark():
    with pytest.raises(LayerError, match="from 1 to 2"):
        made('"AlignDataTransform"', np.ones((1, 4)), np.ones((1, 4)), [1, 3]).forward()


def test_intensities_count_their_weights_once_in_the_gradient():
    runner = made('"EuclideanLoss6"', [[3.0, 1, 4]], [[1.0, 9, 3]], [[2.0, 5, 3]])
    assert runner.forward()[0] == (16 + 9) / 2
    of_values, of_targets, _ = runner.backward([np.float32(1)], [True, True, False])
    np.testing.assert_array_equal(of_values, [[4, 0, 3]])
    np.testing.assert_array_equal(of_targets, [[-4, 0, -3]])


def test_without_any_intensity_there_is_no_loss():
    runner = made('"EuclideanLoss6"', [[3.0]], [[9.0]], [[2.0]])
    assert runner.forward()[0] == 0
