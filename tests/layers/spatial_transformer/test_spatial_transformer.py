"""Spatial transformers: numbers by hand, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

IDENTITY = [1, 0, 0, 0, 1, 0]


def test_the_identity_leaves_the_maps():
    maps = np.random.RandomState(1).standard_normal((2, 3, 5, 4)).astype(np.float32)
    (top,) = Runner('type: "SpatialTransformer"', [maps, np.array([IDENTITY] * 2)]).forward()
    np.testing.assert_allclose(top, maps, atol=1e-5)


def test_the_third_number_of_the_first_row_moves_along_the_rows():
    """By 2 / H, which is one pixel; what comes from outside is 0."""
    maps = np.arange(8.0).reshape(1, 1, 4, 2)
    layer = 'type: "SpatialTransformer" st_param { to_compute_dU: false }'
    runner = Runner(layer, [maps, np.array([[1, 0, 0.5, 0, 1, 0]])])
    assert runner.forward()[0].ravel().tolist() == [2, 3, 4, 5, 6, 7, 0, 0]
    assert not runner.backward([np.ones((1, 1, 4, 2))])[0].any()


def test_numbers_that_are_not_finite_do_not_stop_it():
    for value in (np.nan, 1e30, -np.inf):
        theta = np.array([[1, 0, value, 0, 1, 0]])
        with np.errstate(all="ignore"):
            (top,) = Runner('type: "SpatialTransformer"', [np.ones((1, 1, 4, 2)), theta]).forward()
        assert np.isnan(top).all() or not top.any()


def test_the_loss_of_places_in_the_map_is_0():
    layer = 'type: "STLoss" st_loss_param { output_H: 4 output_W: 3 }'
    assert Runner(layer, [np.array([IDENTITY])]).forward()[0] == 0
    shifted = Runner(layer, [np.array([[1, 0, -1, 0, 1, 0]])]).forward()[0]  # rows -2, -1.5, -1, -0.5
    np.testing.assert_allclose(shifted, (1 + 0.25) / 2 / 4, rtol=1e-6)


def test_a_file_of_less_numbers_than_elements(tmp_path):
    (tmp_path / "shift").write_text("1 2")
    layer = f'type: "PowerFile" power_file_param {{ shift_file: "{tmp_path}/shift" }}'
    assert Runner(layer, [np.zeros((2, 3))]).forward()[0].tolist() == [[1, 2, 0]] * 2


def test_a_file_that_is_not_there_counts_0(tmp_path):
    layer = f'type: "PowerFile" power_file_param {{ shift_file: "{tmp_path}/none" }}'
    with pytest.warns(UserWarning, match="there is no file"):
        runner = Runner(layer, [np.ones((2, 3))])
    assert (runner.forward()[0] == 1).all()
    with pytest.raises(LayerError, match="cannot read the numbers"):
        Runner(layer.replace("/none", ""), [np.ones((2, 3))])


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        ('"SpatialTransformer"', [(2, 1, 3, 4), (2, 5)], "expected 6 numbers for each of 2 images"),
        (
            '"SpatialTransformer" st_param { theta_1_2: 0 }',
            [(2, 1, 3, 4), (2, 6)],
            "expected 5 numbers .* less the 1 that st_param fixes",
        ),
        (
            '"SpatialTransformer" st_param { transform_type: "tps" }',
            [(2, 1, 3, 4), (2, 6)],
            "there are affine, translation",
        ),
        ('"SpatialTransformer" st_param { output_H: -1 }', [(2, 1, 3, 4), (2, 6)], "output_H is -1"),
        ('"SpatialTransformer"', [(2, 3), (2, 6)], "expected N x C x H x W"),
        ('"STLoss" st_loss_param { output_H: 0 output_W: 3 }', [(2, 6)], "both must be above 0"),
        ('"STLoss" st_loss_param { output_H: 2 output_W: 3 }', [(2, 5)], "expected six numbers"),
        (
            '"STLoss" st_loss_param { output_H: 2000000000 output_W: 2000000000 }',
            [(2, 6)],
            "places are more than",
        ),
        ('"LocLoss" loc_loss_param { threshold: 0 }', [(2, 5)], "must be above 0"),
    ],
)
def test_what_is_wrong(layer, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {layer}", [np.ones(shape) for shape in shapes])
