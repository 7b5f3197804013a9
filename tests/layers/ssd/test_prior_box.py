"""PriorBox against plain loops, and params that do not fit."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.ssd.prior_box_offset import PriorBoxOffset
from layers.harness import Runner
from layers.ssd import plain_ssd

MAP, IMAGE = (2, 3, 4, 5), (2, 1, 30, 50)


def layer(params: str, shapes=(MAP, IMAGE)) -> Runner:
    text = f'type: "PriorBox" prior_box_param {{ {params} }}'
    return Runner(text, [np.full(shape, np.nan) for shape in shapes])


def naive(sizes, image=(50, 30), step=(10, 7.5), **options):
    return plain_ssd.priors(sizes, MAP[2:], image, step, **options)


@pytest.mark.parametrize(
    "params, want",
    [
        ("min_size: 7", naive([(7, 7)])),
        (
            "min_size: 7.9 min_size: 11 aspect_ratio: 4",
            naive([(7, 7), (14, 3.5), (3.5, 14), (11, 11), (22, 5.5), (5.5, 22)]),
        ),
        ("min_size: 8 max_size: 18.5", naive([(8, 8), (12, 12)])),
        (
            "min_size: 8 max_size: 18 min_size: 2 max_size: 50 aspect_ratio: 4 clip: true",
            naive([(8, 8), (12, 12), (16, 4), (4, 16), (2, 2), (10, 10), (4, 1), (1, 4)], clip=True),
        ),
        ("min_size: 8 aspect_ratio: 4 flip: false", naive([(8, 8), (16, 4)])),
        (  # a ratio that is there already, also as an inverse, and 1 add nothing
            "min_size: 8 aspect_ratio: 4 aspect_ratio: 1 aspect_ratio: 0.25 aspect_ratio: 4",
            naive([(8, 8), (16, 4), (4, 16)]),
        ),
        ("min_size: 8 variance: 0.3", naive([(8, 8)], variance=(0.3,) * 4)),
        (
            "min_size: 8 variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4",
            naive([(8, 8)], variance=(0.1, 0.2, 0.3, 0.4)),
        ),
        ("min_size: 8 img_size: 40", naive([(8, 8)], image=(40, 40), step=(8, 10))),
        ("min_size: 8 img_w: 100 img_h: 20", naive([(8, 8)], image=(100, 20), step=(20, 5))),
        ("min_size: 8 step: 6", naive([(8, 8)], step=(6, 6))),
        ("min_size: 8 step_w: 6 step_h: 3 offset: 0.25", naive([(8, 8)], step=(6, 3), offset=0.25)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_against_plain_loops(params, want):
    (top,) = layer(params).forward()
    np.testing.assert_allclose(top, want, rtol=1e-6, atol=1e-7)


def test_the_image_counts_only_where_it_is_asked_for():
    shapes = [MAP, (7,)]
    (top,) = layer("min_size: 8 img_size: 40", shapes).forward()
    np.testing.assert_allclose(top, naive([(8, 8)], image=(40, 40), step=(8, 10)), rtol=1e-6)
    with pytest.raises(
        LayerError, match=r"bottom\[1\] has the shape \(7,\); expected N x C x height x width"
    ):
        layer("min_size: 8", shapes)


@pytest.mark.parametrize("shapes, which", [([(2, 3), IMAGE], 0), ([MAP, (2, 3, 4, 0)], 1)])
def test_bottoms_that_are_no_images(shapes, which):
    with pytest.raises(LayerError, match=rf"bottom\[{which}\] has the shape"):
        layer("min_size: 8", shapes)


@pytest.mark.parametrize(
    "params",
    [
        "min_size: 8",
        "fixed_size: 8 fixed_ratio: 1 density: 2",
        "offset_w: 0.3 offset_h: 0.3 min_size: 8 aspect_ratio: 2",
    ],
)
def test_a_map_without_pixels_has_no_boxes(params):
    (top,) = layer(params, [(2, 3, 4, 0), IMAGE]).forward()
    assert top.shape == (1, 2, 0)


@pytest.mark.parametrize(
    "params, message",
    [
        ("", r"min_size is \[\]; expected one or more sizes of at least 1"),
        ("min_size: 8 min_size: 0.5", r"min_size is \[8.0, 0.5\]"),
        ("min_size: 8 max_size: 8", r"max_size is \[8.0\]; expected none, or one that is larger .* \[8.0\]"),
        ("min_size: 8 min_size: 9 max_size: 10", r"max_size is \[10.0\]"),
        ("min_size: 8 aspect_ratio: -2", "aspect_ratio is -2; it must be greater than 0"),
        ("min_size: 8 variance: 0.1 variance: 0.2", "expected one or four numbers"),
        ("min_size: 8 variance: 0", "expected one or four numbers greater than 0"),
        ("min_size: 8 img_size: 4 img_w: 5", "expected either img_size, or img_w and img_h, .*'img_w'"),
        ("min_size: 8 img_h: 4", "expected either img_size, or img_w and img_h"),
        ("min_size: 8 img_size: 0", "greater than 0"),
        ("min_size: 8 step: 4 step_h: 5 step_w: 5", "expected either step, or step_w and step_h"),
        ("min_size: 8 step_w: 5 step_h: -1", "expected either step, or step_w and step_h, greater than 0"),
    ],
)
def test_wrong_params(params, message):
    with pytest.raises(LayerError, match=message):
        layer(params)


def test_offsets_make_it_the_boxes_of_tl_ssd():
    params = "min_size: 8 aspect_ratio: 0.25 flip: false offset_w: 0.5 offset_w: 0 offset_h: 0.5 img_size: 40"
    assert isinstance(layer(params).layer, PriorBoxOffset)


@pytest.mark.parametrize(
    "params, message",
    [
        (
            "aspect_ratio: 2 offset_w: 0.5",
            r"offset_w is \[0.5\], offset_h \[\]; expected at least one of each",
        ),
        ("aspect_ratio: 2 offset_w: 0.5 offset_h: 1.5", "from 0 to 1"),
        ("offset_w: 0.5 offset_h: 0.5", r"aspect_ratio is \[\]; expected one or more, none of them 1"),
        ("aspect_ratio: 1 offset_w: 0.5 offset_h: 0.5", "none of them 1"),
        (
            "aspect_ratio: 2 offset_w: 0.5 offset_h: 0.5 offset: 0.25",
            "prior_box_param.offset has no effect here",
        ),
    ],
)
def test_wrong_offsets(params, message):
    with pytest.raises(LayerError, match=message):
        layer(f"min_size: 8 {params}")


def test_offsets_without_a_size():
    with pytest.raises(LayerError, match=r"min_size is \[\]"):
        layer("aspect_ratio: 2 offset_w: 0.5 offset_h: 0.5")
