"""Transformations other than affine: their gradient by differences, the border, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST
from caffe_compat.layers.registry import create_layer
from caffe_compat.layers.spatial_transformer.transformed_maps import TransformedMaps
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, SpatialTransformerParameter
from layers.harness import Runner

NUMBERS = {
    "translation": [0.11, -0.07],
    "translation_scaling": [0.53, 0.11, 0.47, -0.07],
    "projective": [0.53, 0.12, 0.05, -0.09, 0.47, 0.06, 0.11, -0.13],
    "similarity": [0.4, 0.6, 0.11, -0.07],
}


def runner(name: str, numbers: np.ndarray, extra: str = "") -> Runner:
    maps = np.random.RandomState(2).standard_normal((2, 3, 6, 7))
    text = f'type: "TransformedMaps" st_param {{ transform_type: "{name}" output_H: 4 output_W: 5 {extra} }}'
    return Runner(text, [maps, numbers], dtype=np.float64)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_gradient_of_the_numbers_by_differences(name):
    extra = "theta_1_1: 0.5 theta_2_2: 0.6" if name == "translation" else ""
    numbers = np.stack([NUMBERS[name], np.multiply(NUMBERS[name], 0.9)])
    one = runner(name, numbers, extra)
    seed = np.random.RandomState(3).standard_normal(one.forward()[0].shape)
    of_maps, of_numbers = one.backward([seed])
    assert not of_maps.any()
    step = 1e-6
    for at in np.ndindex(numbers.shape):
        up, down = numbers.copy(), numbers.copy()
        up[at] += step
        down[at] -= step
        difference = runner(name, up, extra).forward()[0] - runner(name, down, extra).forward()[0]
        assert of_numbers[at] == pytest.approx((difference * seed).sum() / (2 * step), rel=1e-5, abs=1e-7)


def test_what_is_outside():
    maps = np.arange(1.0, 5).reshape(1, 1, 2, 2)
    sampled = {}
    for name, numbers in (("translation", [2.0, 0]), ("similarity", [0, 1, 2, 0])):
        text = f'type: "TransformedMaps" st_param {{ transform_type: "{name}" }}'
        sampled[name] = Runner(text, [maps, np.array([numbers])]).forward()[0].ravel().tolist()
    assert sampled == {"translation": [2, 2, 4, 4], "similarity": [2, 0, 4, 0]}


def test_a_place_in_a_row_of_pixels_has_the_pixel_itself_for_a_slope():
    maps = np.arange(1.0, 10).reshape(1, 1, 3, 3) ** 2
    one = Runner(
        'type: "TransformedMaps" st_param { transform_type: "translation" }', [maps, np.zeros((1, 2))]
    )
    np.testing.assert_array_equal(one.forward()[0], maps)
    assert one.backward([np.eye(3)[None, None]])[1].tolist() == [[1 + 25 + 81, 1 + 25 + 81]]


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ('transform_type: "projective"', (2, 6), "has 8 numbers for each of 2 images"),
        ('transform_type: "projective" output_H: 1', (2, 8), "1 x 7 pixels; it needs at least 2 x 2"),
        ('transform_type: "similarity" theta_1_2: 1', (2, 4), "of affine transformations only: remove it"),
    ],
)
def test_what_is_wrong(text, shape, expected):
    with pytest.raises(LayerError, match=expected):
        Runner(f'type: "TransformedMaps" st_param {{ {text} }}', [np.ones((2, 3, 6, 7)), np.ones(shape)])


def test_it_is_a_form_of_spatial_transformer():
    param = SpatialTransformerParameter(transform_type="projective")
    layer = create_layer(LayerParameter(type="SpatialTransformer", bottom="ab", st_param=param), TEST)
    assert isinstance(layer, TransformedMaps)
    param.transform_type = "grid"
    with pytest.raises(
        LayerError, match="there are affine, translation, translation_scaling, projective and sim"
    ):
        create_layer(LayerParameter(type="SpatialTransformer", bottom="ab", st_param=param), TEST)
