"""Automatic colorization: borders, what has no colour, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def test_places_outside_take_the_border():
    maps = np.arange(12.0).reshape(1, 1, 3, 4)
    text = 'type: "SparseHypercolumnExtractor" sparse_hypercolumn_extractor_param { scale: 2 }'
    places = np.array([[[-9.0, 1], [99, 99], [2, 4]]])
    top = Runner(text, [places, maps]).forward()[0]
    np.testing.assert_allclose(top.ravel(), [0.5, 11, 6], atol=6e-4)  # 0.0001 pixels before the end


def test_a_map_of_one_pixel():
    runner = Runner(
        'type: "SparseHypercolumnExtractor" sparse_hypercolumn_extractor_param { scale: 32 }',
        [np.array([[[5.0, 7], [60, 90]]]), np.full((1, 2, 1, 1), 3.0)],
    )
    np.testing.assert_array_equal(runner.forward()[0], np.full((2, 2), 3))
    diff = runner.backward([np.ones((2, 2))], [False, True])[1]
    np.testing.assert_array_equal(diff, np.full((1, 2, 1, 1), 2))


def test_a_window_without_pixels_has_all_bins_alike():
    text = 'type: "SparseHistogramExtractor" sparse_histogram_extractor_param { size: 3 }'
    histograms = np.zeros((1, 4, 5, 5))
    histograms[0, 2, 4, 4] = 5
    top = Runner(text, [np.array([[[40.0, 1], [1, 1], [3.9, 3.9]]]), histograms]).forward()[0]
    np.testing.assert_array_equal(top, [[0.25] * 4, [0.25] * 4, [0, 0, 1, 0]])


def test_places_that_are_no_numbers():
    places = np.array([[[np.nan, np.nan]], [[np.nan, 1.0]]])
    maps = np.arange(24.0).reshape(2, 1, 3, 4)
    text = 'type: "SparseHypercolumnExtractor" sparse_hypercolumn_extractor_param { scale: 1 }'
    with np.errstate(all="raise"):
        np.testing.assert_allclose(Runner(text, [places, maps]).forward()[0], [[11], [21]], atol=6e-4)
        text = 'type: "SparseHistogramExtractor" sparse_histogram_extractor_param { size: 3 }'
        histograms = maps.reshape(2, 2, 3, 2)
        np.testing.assert_array_equal(Runner(text, [places, histograms]).forward()[0], [[0.5, 0.5]] * 2)


def test_numbers_beyond_count_at_the_ends():
    top = Runner(
        'type: "UniformToHistogram" uniform_to_histogram_param { bins: 3 }',
        [np.array([-2.0, 0.34, 1, 7, np.nan]).reshape(1, 1, 1, 5)],
    ).forward()[0]
    np.testing.assert_array_equal(top[0, :, 0].T, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]])


def test_grey_has_no_hue():
    pixels = np.array([[0.5, 0.5, 0.5], [0, 0, 0], [0, 0, 0.8], [0.8, 0, 0]]).T.reshape(1, 3, 1, 4)
    hue, chroma, value = Runner('type: "BgrToMunsell"', [pixels]).forward()[0][0, :, 0]
    np.testing.assert_allclose(hue, [0, 0, 0, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(chroma, [0, 0, 0.8, 0.8], rtol=1e-6)
    np.testing.assert_allclose(value, [0.5, 0, 0.8, 0.8], rtol=1e-6)


COLUMNS = '"SparseHypercolumnExtractor" sparse_hypercolumn_extractor_param'
HISTOGRAM = '"SparseHistogramExtractor" sparse_histogram_extractor_param'


@pytest.mark.parametrize(
    "text, shapes, message",
    [
        (
            f"{COLUMNS} {{ scale: 1 }}",
            [(2, 3, 2), (2, 1, 4, 5), (2, 1, 4, 5)],
            "there are 1 scale, 0 offset_height",
        ),
        (f"{COLUMNS} {{ scale: 0 }}", [(2, 3, 2), (2, 1, 4, 5)], "a scale is not above 0"),
        (f"{COLUMNS} {{ scale: 1 }}", [(2, 3), (2, 1, 4, 5)], "expected N x places x 2"),
        (f"{COLUMNS} {{ scale: 1 }}", [(2, 3, 2), (3, 1, 4, 5)], "expected 2 x C x H x W"),
        (f"{HISTOGRAM} {{ size: 3 size: 5 }}", [(2, 3, 2), (2, 4, 4, 5)], "for each of 1 tops"),
        (f"{HISTOGRAM} {{ size: 0 }}", [(2, 3, 2), (2, 4, 4, 5)], "at least 1"),
        ('"UniformToHistogram"', [(2, 3, 4, 5)], "expected N x 1 x H x W"),
        ('"BgrToMunsell"', [(2, 4, 4, 5)], "expected N x 3 x H x W"),
        ('"SoftmaxKLDLoss"', [(4, 5), (4, 5), (4, 5)], "expected a weight for each of 4 places"),
    ],
)
def test_what_is_wrong(text, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {text}", [np.ones(shape) for shape in shapes])
