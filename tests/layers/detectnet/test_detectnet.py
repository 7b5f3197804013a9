"""DetectNetTransformation: labels against plain loops, images, what is drawn, errors."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.detectnet.augmentation import Augmentation, draw
from caffe_compat.prototxt.caffe_pb2 import DetectNetAugmentationParameter
from caffe_compat.rng import Rng, set_random_seed
from layers.data_cases import data_cases, of_detectnet, pixels
from layers.harness import Runner, parse

TEXT = (
    'type: "DetectNetTransformation" detectnet_groundtruth_param { image_size_x: 22 image_size_y: 18 %s } %s'
)
NEVER = "crop_prob: 0 scale_prob: 0 flip_prob: 0 rotation_prob: 0 hue_rotation_prob: 0 desaturation_prob: 0"


def inputs(seed: int = 3) -> list[np.ndarray]:
    rng = np.random.RandomState(seed)
    return [pixels(rng, (2, 3, 20, 24)), of_detectnet(rng, (2, 1, 4, 16))]


def naive_label(param, boxes, classes) -> np.ndarray:
    """Cell by cell, box by box."""
    channels = {mapping.src: mapping.dst for mapping in param.object_class} or {1: 0}
    stride = param.stride
    rows, columns = round(param.image_size_y / stride), round(param.image_size_x / stride)
    label = np.zeros((9 + max(channels.values()), rows, columns))
    for (x, y, w, h), number in zip(boxes, classes, strict=True):
        x1, y1, x2, y2 = x, y, x + w, y + h
        if param.crop_bboxes:
            x1, y1 = max(x1, 0), max(y1, 0)
            x2, y2 = min(x2, param.image_size_x), min(y2, param.image_size_y)
        if number not in channels or x2 <= x1 or y2 <= y1:
            continue
        sides = []
        for low, high in ((x1, x2), (y1, y2)):
            side = (high - low) * param.scale_cvg
            if param.gridbox_type == param.GRIDBOX_MIN:
                side = min(high - low, max(param.min_cvg_len, side))
            else:
                side = min(param.max_cvg_len, side)
            sides.append(((low + high - side) / 2, (low + high + side) / 2))
        (cx1, cx2), (cy1, cy2) = sides
        norm = stride**2 / ((cx2 - cx1) * (cy2 - cy1))
        for row, column in np.ndindex(rows, columns):
            left, upper = column * stride, row * stride
            wide, tall = (
                min(cx2, left + stride) - max(cx1, left),
                min(cy2, upper + stride) - max(cy1, upper),
            )
            if wide > 0 and tall > 0:
                label[8:, row, column] = 0
                label[8 + channels[number], row, column] = 1
                label[:8, row, column] = [
                    1, x1 - left, y1 - upper, x2 - left, y2 - upper, 1 / (x2 - x1), 1 / (y2 - y1),
                    norm if param.obj_norm else max(1, norm),
                ]  # fmt: skip
    return label


@pytest.mark.parametrize("case", range(3))
def test_labels_against_plain_loops(case, tmp_path):
    text = [case for case in data_cases(tmp_path) if case.type == "DetectNetTransformation"][case].layer
    images, labels = inputs()
    tops = Runner(text, [images, labels], tops=2, phase=TEST).forward()
    param = parse(text).detectnet_groundtruth_param
    scale = np.array([22 / 24, 18 / 20] * 2)
    for n in range(2):
        rows = labels[n, 0, 1:]
        want = naive_label(param, rows[:, :4] * scale, rows[:, 5])
        assert want[0].any()
        np.testing.assert_allclose(tops[1][n], want, rtol=1e-4, atol=1e-4)


def test_images_are_resized_in_phase_test():
    images, labels = inputs()
    top, _ = Runner(
        TEXT % ("", "transform_param { mean_value: 5 mean_value: 6 mean_value: 7 }"), [images, labels], tops=2,
        phase=TEST,
    ).forward()  # fmt: skip
    for n, image in enumerate(images):
        image = image.transpose(1, 2, 0).astype(np.float32) - np.float32([5, 6, 7])
        want = cv2.resize(image, (22, 18), interpolation=cv2.INTER_CUBIC)
        np.testing.assert_allclose(top[n], want.transpose(2, 0, 1), atol=1e-3)


def test_nothing_drawn_leaves_the_middle():
    images, labels = inputs()
    text = TEXT % ("", f"detectnet_augmentation_param {{ {NEVER} }}")
    top, label = Runner(text, [images, labels], tops=2).forward()
    np.testing.assert_allclose(top, images[:, :, 1:19, 1:23], atol=1e-3)
    for n, rows in enumerate(labels[:, 0, 1:]):
        boxes = rows[:, :4] - np.array([1, 1, 0, 0])
        want = naive_label(parse(text).detectnet_groundtruth_param, boxes, rows[:, 5])
        np.testing.assert_allclose(label[n], want, rtol=1e-4, atol=1e-4)


def test_a_flip_takes_boxes_along():
    chosen = Augmentation((24, 20), flip=True)
    image = np.zeros((20, 24, 3), np.float32)
    image[5:9, 2:8] = 200
    flipped = chosen.image(image, (24, 20), lambda x: x)
    (box,) = chosen.boxes(np.array([[2, 5, 5, 3]], np.float32), (24, 20))
    y, x = np.nonzero(flipped[..., 0] > 100)
    np.testing.assert_array_equal([x.min(), y.min(), x.max() - x.min(), y.max() - y.min()], box)


def test_a_rotation_takes_boxes_along():
    chosen = Augmentation((40, 30), rotation=30.0)
    image = np.zeros((30, 40, 3), np.float32)
    image[9:12, 29:32] = 255
    (box,) = chosen.boxes(np.array([[29, 9, 3, 3]], np.float32), (40, 30))
    rotated = chosen.image(image, (60, 60), lambda x: x)[..., 0]
    y, x = np.nonzero(rotated > 100)
    assert math.dist((x.mean(), y.mean()), (box[0] + 1.5, box[1] + 1.5)) < 1.5


def test_colours():
    image = np.random.RandomState(0).uniform(0, 255, (4, 5, 3)).astype(np.float32)
    grey = Augmentation((5, 4), saturation=0.0).image(image, (5, 4), lambda x: x)
    np.testing.assert_allclose(grey, np.repeat(image.max(axis=2, keepdims=True), 3, axis=2), rtol=1e-4)
    turned = Augmentation((5, 4), hue=120.0).image(
        image, (5, 4), lambda x: x
    )  # red becomes green, green blue
    np.testing.assert_allclose(turned, image[..., [1, 2, 0]], rtol=1e-3, atol=1e-2)


def test_numbers_are_drawn_in_the_originals_order():
    text = "hue_rotation_prob: 1 desaturation_prob: 1 flip_prob: 1 scale_prob: 1 scale_max: 1.5 rotation_prob: 0 "
    param = text_format.Parse(text + "shift_x: 6 shift_y: 3", DetectNetAugmentationParameter())
    given = iter(np.float32([0, 0.75, 0, 0.5, 0, 0, 0.5, 0.5, 0, 0.25, 1]))
    chosen = draw(param, (24, 20), (22, 18), lambda: next(given))
    assert (
        chosen.hue == pytest.approx(0.25 * 2 * 15)
        and chosen.saturation == pytest.approx(0.75)
        and chosen.flip
    )
    assert chosen.scale == (round(24 * 1.1), 22) and chosen.rotation == 0
    assert chosen.crop == (-1, 22 - 18 + 3 - 1)
    assert next(given, None) is None


def test_the_state_is_that_of_its_own_random_numbers():
    set_random_seed(3)
    runner = Runner(TEXT % ("", "detectnet_augmentation_param { scale_prob: 1 }"), inputs(), tops=2)
    set_random_seed(3)
    assert runner.layer.rng.draw() == Rng(Rng(3).draw()).draw()
    state = runner.layer.get_state()
    first = runner.forward()
    again = runner.forward()
    assert not np.array_equal(first[0], again[0])
    runner.layer.set_state(state)
    np.testing.assert_array_equal(runner.forward()[0], first[0])


def test_a_label_of_zeros_has_no_objects():
    images, labels = inputs()
    assert not Runner(TEXT % ("", ""), [images, 0 * labels], tops=2, phase=TEST).forward()[1].any()


@pytest.mark.parametrize(
    "label, more, message",
    [
        ("stride: 0", "", "stride, image_size_x and image_size_y .* must be above 0"),
        ("", "transform_param { mean_value: 1 mean_value: 2 }", "there are 2 mean_values"),
        ("", "detectnet_augmentation_param { scale_min: 2 }", "a scale from 2 to 1"),
        ("", "detectnet_augmentation_param { shift_x: 2 hue_rotation: nan }", "'hue_rotation'.* not finite"),
        ("", 'transform_param { mean_file: "nowhere" }', "cannot read 'nowhere'"),
    ],
)
def test_params_that_do_not_fit(label, more, message):
    with pytest.raises(LayerError, match=message):
        Runner(TEXT % (label, more), inputs(), tops=2)


@pytest.mark.parametrize(
    "index, shape, message",
    [
        (0, (2, 1, 20, 24), r"bottom\[0\] has the shape \(2, 1, 20, 24\); expected images"),
        (1, (2,), r"bottom\[1\] has the shape \(2,\); expected \(2, 1, 2, 16\) or more rows"),
        (1, (1, 1, 4, 16), r"bottom\[1\] has the shape \(1, 1, 4, 16\)"),
    ],
)
def test_shapes_that_do_not_fit(index, shape, message):
    bottoms = inputs()
    bottoms[index] = np.zeros(shape)
    with pytest.raises(LayerError, match=message):
        Runner(TEXT % ("", ""), bottoms, tops=2)


@pytest.mark.parametrize(
    "row, column, value, message",
    [
        (0, 0, 4, "the label of image 1 begins with 4, 16; expected the number of objects, up to 3, and 16"),
        (0, 1, 15, "begins with 3, 15"),
        (1, 2, np.nan, "a box or a class that is not finite"),
    ],
)
def test_labels_that_do_not_fit(row, column, value, message):
    images, labels = inputs()
    labels[1, 0, row, column] = value
    with pytest.raises(LayerError, match=message):
        Runner(TEXT % ("", ""), [images, labels], tops=2, phase=TEST).forward()


def test_an_image_too_large():
    more = "detectnet_augmentation_param { scale_prob: 1 scale_min: 9999 scale_max: 9999 }"
    with pytest.raises(
        LayerError, match="an image of 24 x 20 is scaled to 239976 x 199980; correct scale_min"
    ):
        Runner(TEXT % ("", more), inputs(), tops=2, phase=TRAIN).forward()
