"""FlowNet2's augmentation: the mean of the first forwards, what is drawn and taken, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.rng import Rng, set_random_seed
from layers.harness import Runner

IMAGES = np.arange(8.0).reshape(2, 1, 2, 2)


def augmentation(params, images=IMAGES, phase=TEST) -> Runner:
    return Runner(f'type: "DataAugmentation" augmentation_param {{ {params} }}', [images], phase=phase)


def test_the_first_forwards_make_the_mean():
    runner = augmentation("recompute_mean: 2 mean_per_pixel: false")
    for shift, mean in ((0, 3.5), (2, 4.5), (100, 4.5)):
        runner.bottom[0].data[...] = IMAGES + shift
        np.testing.assert_allclose(runner.forward()[0], IMAGES + shift - mean, rtol=1e-6)
    assert [blob.data.ravel().tolist() for blob in runner.layer.blobs] == [[3], [3, 4, 5, 6], [4.5]]
    assert [(spec.lr_mult, spec.decay_mult) for spec in runner.layer.layer_param.param] == [(0, 0)] * 3


def test_without_a_crop_nothing_is_drawn():
    runner = augmentation("rotate { spread: 3 }", phase=TRAIN)
    np.testing.assert_array_equal(runner.forward()[0], IMAGES)


def test_of_a_batch_all_images_go_through_a_step_that_one_needs():
    images = np.full((2, 3, 4, 5), 0.5)
    coefficients = np.zeros((2, 42, 1, 1))
    coefficients[1, 7] = 0.25  # brightness
    text = 'type: "DataAugmentation" augmentation_param { crop_width: 3 crop_height: 2 max_multiplier: 0.7 }'
    tops = Runner(text, [images, coefficients], phase=TEST).forward()[0]
    np.testing.assert_allclose(
        tops[0], 0.5 * 1.5 / 1.51, rtol=1e-6
    )  # which hides what is divided by: 0.01 more
    np.testing.assert_allclose(tops[1], 0.7, rtol=1e-6)


def test_a_place_is_drawn_49_times_at_most():
    """Half the crop's width to the side, a crop as large as the image lies outside, so that it stays in the middle."""
    text = (
        'type: "GenerateAugmentationParameters" augmentation_param { crop_width: 6 crop_height: 5 '
        "translate_x { mean: 0.5 } rotate { mean: 0.25 } }"
    )
    row = Runner(text, [np.ones((2, 3, 5, 6))]).forward()[0]
    np.testing.assert_array_equal(row, np.zeros((2, 42, 1, 1)))
    row = Runner(text, [np.ones((2, 3, 50, 60))]).forward()[0]
    np.testing.assert_allclose(row[1, :4, 0, 0], [0, 0.5, 0, 0.25])


def test_a_schedule_goes_on_with_the_state():
    text = (
        'type: "GenerateAugmentationParameters" coeff_schedule_param { half_life: 2 initial_coeff: 0 final_coeff: 1 } '
        "augmentation_param { crop_width: 6 crop_height: 5 brightness { spread: 1 } }"
    )
    runner, other = (Runner(text, [np.ones((1, 3, 50, 60))]) for _ in range(2))
    for i in (1, 2, 3):
        spread, state = 2 / (1 + 3 ** (-i / 2)) - 1, runner.layer.get_state()
        set_random_seed(i)
        row = runner.forward()[0].ravel()
        np.testing.assert_allclose(row[7], Rng(i).number(-spread, spread), rtol=1e-4)
    other.layer.set_state(state)
    set_random_seed(3)
    np.testing.assert_array_equal(other.forward()[0].ravel(), row)


def test_a_missing_flow_stays_and_places_outside_take_the_border():
    flow = np.zeros((1, 2, 3, 4))
    flow[0, :, 1, 2], flow[0, 0, :, 0] = np.nan, 8
    unchanged = np.zeros((1, 42, 1, 1))
    moved = unchanged.copy()
    moved[0, 1] = -1  # by the width of the crop to the left
    text = 'type: "FlowAugmentation" augmentation_param { crop_width: 4 crop_height: 3 }'
    top = Runner(text, [flow, unchanged, unchanged]).forward()[0]
    np.testing.assert_array_equal(top, flow)
    top = Runner(text, [flow, moved, unchanged]).forward()[0]
    np.testing.assert_array_equal(
        top[0, 0], np.full((3, 4), 4)
    )  # 8 to the right, of which 4 are the crop's own
    np.testing.assert_array_equal(top[0, 1], np.zeros((3, 4)))


def test_what_is_wrong():
    with pytest.raises(LayerError, match="a crop of 3 x 1 does not fit"):
        augmentation("crop_height: 3 crop_width: 1")
    with pytest.raises(LayerError, match="the bottom must have 3"):
        augmentation("mean: 1 mean: 2 mean: 3 mean_per_pixel: false")
    with pytest.raises(LayerError, match="expected N x C x H x W"):
        augmentation("", np.ones((2, 3)))
    runner = augmentation("recompute_mean: 1")
    with pytest.raises(LayerError, match="the mean image has the shape"):
        runner.feed([np.ones((2, 1, 3, 3))])


def test_a_mean_of_three_channels_and_another_number_of_them():
    runner = augmentation("mean: 1 mean: 2 mean: 3 mean_per_pixel: false", np.ones((2, 3, 4, 5)))
    with pytest.raises(LayerError, match="there are 3 numbers `mean`, and 4 channels"):
        runner.feed([np.ones((2, 4, 4, 5))])
    with pytest.raises(LayerError, match="expected N x C x H x W"):
        runner.feed([np.ones((2, 3, 4))])


def test_a_count_of_forwards_that_is_none():
    runner = augmentation("crop_width: 1 crop_height: 1 rotate { spread: 1 }", phase=TRAIN)
    for count in (np.nan, np.inf, -np.inf):
        runner.layer.blobs[0].data[...] = count
        with np.errstate(all="raise"):
            runner.forward()


def test_no_motion_at_all():
    images = [np.full((2, 3, 4, 5), value) for value in (1.0, 2.0)]
    text = 'type: "BlackAugmentation" black_augmentation_param { black { mean: 1 } }'
    tops = Runner(text, [*images, np.ones((2, 2, 4, 5))], tops=3).forward()
    np.testing.assert_array_equal(tops[0], images[1])
    np.testing.assert_array_equal(tops[1], images[1])
    np.testing.assert_array_equal(tops[2], np.zeros((2, 2, 4, 5)))
    tops = Runner('type: "BlackAugmentation"', images, tops=2).forward()
    np.testing.assert_array_equal(tops, images)


def test_what_is_yes_or_no_is_so_before_it_is_rounded():
    flag = '{ rand_type: "uniform" mean: 0.3 discretize: true multiplier: %g }'
    for multiplier, found in ((0.5, 1), (0, 0)):
        text = f"crop_width: 3 crop_height: 3 mirror {flag % multiplier}"
        text = f'type: "GenerateAugmentationParameters" augmentation_param {{ {text} }}'
        row = Runner(text, [np.ones((2, 3, 9, 9))]).forward()[0]
        np.testing.assert_array_equal(row[:, 0, 0, 0], [found, found])
        text = f'type: "BlackAugmentation" black_augmentation_param {{ black {flag % multiplier} }}'
        (top,) = Runner(text, [np.ones((2, 2, 4, 5))]).forward()
        np.testing.assert_array_equal(top, np.full((2, 2, 4, 5), 1 - found))


def test_a_black_border_is_a_share_in_single_precision():
    """0.35 is a bit less than that, and times 20 exactly 7 again."""
    text = 'type: "BlackAugmentation" black_augmentation_param { border { mean: 0.35 } }'
    (top,) = Runner(text, [np.ones((9, 2, 20, 20))]).forward()
    assert {int(image.any(axis=axis).sum()) for image in top[:, 0] for axis in (0, 1)} == {20, 6}


def test_black_borders_of_other_shapes():
    text = 'type: "BlackAugmentation" black_augmentation_param { border { rand_type: "x" } }'
    with pytest.raises(LayerError, match="border has the rand_type 'x'"):
        Runner(text, [np.ones((2, 3, 4, 5))])
    with pytest.raises(LayerError, match="expected N x 3 x H x W, images"):
        Runner('type: "BlackAugmentation"', [np.ones((2, 3, 4, 5)), np.ones((2, 2, 4, 6))], tops=2)


GENERATE, ROWS = "GenerateAugmentationParameters", (2, 42, 1, 1)
CROP = "crop_width: 4 crop_height: 3 "


@pytest.mark.parametrize(
    "type, params, shapes, message",
    [
        (
            "DataAugmentation",
            'zoom { rand_type: "normal" }',
            [(2, 3, 5, 6)],
            "zoom has the rand_type 'normal'",
        ),
        (
            "DataAugmentation",
            "zoom { prob: 1.5 }",
            [(2, 3, 5, 6)],
            "zoom has the prob 1.5; it must be at most 1",
        ),
        (
            "DataAugmentation",
            CROP,
            [(2, 3, 5, 6), (2, 41, 1, 1)],
            r"bottom\[1\] has the shape .*expected 2 x 42",
        ),
        ("DataAugmentation", f"{CROP} gamma {{ mean: 2 }}", [(2, 1, 5, 6)], "there are 1 channels"),
        (
            "DataAugmentation",
            f"{CROP} lmult_add {{ mean: 2 }}",
            [(2, 3, 5, 6)],
            "chromatic_eigvec has 0 numbers",
        ),
        (GENERATE, CROP, [ROWS, ROWS], "there are 2 bottoms; expected 1 or 3"),
        (GENERATE, 'mode: "multiply"', [ROWS], "mode is 'multiply'; there is add, replace"),
        (GENERATE, CROP, [ROWS], "the crop is 3 x 4, the image 0 x 0; give"),
        (GENERATE, "", [(2, 3, 5, 6)], "the crop is 0 x 0"),
        (GENERATE, "", [(2, 41, 1, 1)], "expected 2 x 42"),
        (GENERATE, "", [(2, 42)], "expected four axes each"),
        ("FlowAugmentation", "crop_width: 3", [(2, 2, 5, 6), ROWS, ROWS], "give crop_width and crop_height"),
        ("FlowAugmentation", CROP, [(2, 3, 5, 6), ROWS, ROWS], "expected N x 2 x H x W"),
        ("FlowAugmentation", CROP, [(2, 2, 5, 6), ROWS, (3, 42, 1, 1)], r"bottom\[2\] has the shape"),
    ],
)
def test_what_cannot_be_drawn_or_taken(type, params, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(
            f'type: "{type}" augmentation_param {{ {params} }}', [np.ones(shape) for shape in shapes]
        ).forward()
