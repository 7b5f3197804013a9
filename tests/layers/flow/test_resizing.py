"""Accum, Resample and Downsample: missing pixels, sizes, and what is wrong; Mean."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner
from layers.naive import NAIVE, given_to


def test_a_pixel_is_missing_where_most_around_it_are():
    maps = np.random.RandomState(1).standard_normal((1, 2, 7, 9))
    maps[0, 0, 2:5, 3:6] = maps[0, 1, 0, 0] = np.nan
    runner = Runner('type: "Downsample" downsample_param { top_height: 4 top_width: 4 }', [maps])
    (top,), (want,) = runner.forward(), NAIVE["Downsample"](given_to(runner))
    np.testing.assert_allclose(top, want, rtol=1e-5)
    assert np.isnan(top).sum() == 5


def test_a_missing_pixel_spoils_only_those_around_it():
    maps = np.ones((1, 1, 2, 9))
    maps[0, 0, 0, 0] = np.nan
    (top,) = Runner('type: "Resample" resample_param { height: 2 width: 9 }', [maps]).forward()
    assert np.isnan(top).sum() == 1


def test_a_top_of_the_bottoms_size_is_the_bottom():
    maps = np.full((1, 1, 1, 3), np.nan)
    layer = 'type: "Downsample" downsample_param { top_height: 1 top_width: 3 }'
    np.testing.assert_array_equal(Runner(layer, [maps]).forward()[0], maps)


def test_different_scales_move_the_map():
    """Twice as high, as wide: the rows lie at j / 2 + 1 / 2 - 1 / 2, and the columns at i + 1 / 4 - 1 / 2."""
    maps = np.arange(3.0).reshape(1, 1, 1, 3)
    (top,) = Runner('type: "Resample" resample_param { height: 2 width: 3 }', [maps]).forward()
    np.testing.assert_allclose(top[0, 0, 0], [0, 0.75, 1.75])


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        ('"Resample"', [(1, 1, 2, 3)], "the size is 0 x 0; give height and width"),
        ('"Resample" resample_param { type: AREA }', [(1, 1, 2, 3)], "type AREA is not built"),
        ('"Resample" resample_param { height: 1 width: 1 }', [(2, 3)], "expected N x C x H x W"),
        ('"Downsample"', [(1, 1, 2, 3)], "the size is 0 x 0, the bottom's 2 x 3"),
        ('"Downsample"', [(2, 3)], "expected N x C x H x W"),
        ('"Accum"', [(1, 1, 2, 3), (2, 1, 2, 3)], "with one N"),
        ('"Accum" accum_param { have_reference: true }', [(1, 1, 2, 3)], "needs a second bottom"),
        ('"Accum" accum_param { size_divisible_by: 0 }', [(1, 1, 2, 3)], "size_divisible_by is 0"),
        ('"ChannelNorm"', [(2, 3)], "expected N x C x H x W"),
        ('"Mean" mean_param { operation: ADD }', [(1, 1, 2, 3)], "there is no mean"),
        ('"Mean" mean_param { operation: ADD value: 1 value: 2 }', [(1, 3, 2, 3)], "does not fit"),
        ('"Mean" mean_param { operation: ADD file: "none" }', [(1, 3, 2, 3)], "cannot read 'none'"),
    ],
)
def test_what_is_wrong(layer, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {layer}", [np.ones(shape) for shape in shapes])
