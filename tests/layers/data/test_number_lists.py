"""MultiLabelImageData and ImageFloatData, and ImageData's new_dim and label, on files written here."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.fixture
def photos(tmp_path):
    """Three PNG files, two upright, one lying; returns the pixels."""
    rng = np.random.RandomState(3)
    pixels = [rng.randint(0, 256, (*size, 3)).astype(np.uint8) for size in ((8, 5), (8, 5), (5, 8))]
    for i, image in enumerate(pixels):
        cv2.imwrite(f"{tmp_path}/{i}.png", image)
    (tmp_path / "list").write_text("0.png 1 -0.5 3\n1.png  4 5 6e-1\n")
    return pixels


def data(folder, type: str, params: str = "", more: str = "", tops: int = 2) -> Runner:
    text = f"source: '{folder}/list' root_folder: '{folder}/' {params}"
    return Runner(f"type: '{type}' image_data_param {{ {text} }} {more}", [], tops=tops)


def test_several_numbers_an_image(tmp_path, photos):
    numbers = np.array([[1, -0.5, 3], [4, 5, 0.6]], np.float32)
    images, labels = data(tmp_path, "MultiLabelImageData", "batch_size: 2").forward()
    np.testing.assert_array_equal(images, np.stack(photos[:2]).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(labels, numbers)
    _, labels = data(
        tmp_path, "ImageFloatData", "batch_size: 2", "image_float_data_param { label_dim: 3 }"
    ).forward()
    np.testing.assert_array_equal(labels, numbers)
    more = "image_float_data_param { label_dim: 2 hard_sample: true }"
    _, labels, weights = data(tmp_path, "ImageFloatData", "batch_size: 2", more, tops=3).forward()
    np.testing.assert_array_equal(labels, numbers[:, :2])
    np.testing.assert_array_equal(weights, numbers[:, 2])


@pytest.mark.parametrize(("params", "how"), [("", cv2.INTER_LINEAR), ("bicubic: true", cv2.INTER_CUBIC)])
def test_the_shorter_side(tmp_path, photos, params, how):
    (tmp_path / "list").write_text("0.png 1\n2.png 1\n")
    runner = data(tmp_path, "ImageData", f"new_dim: 10 {params}")
    for photo, size in ((photos[0], (10, 16)), (photos[2], (16, 10))):
        want = cv2.resize(photo, size, interpolation=how)
        np.testing.assert_array_equal(runner.forward()[0][0], want.transpose(2, 0, 1))


def test_without_labels(tmp_path, photos):
    (tmp_path / "list").write_text("0.png\n1.png\n")
    (images,) = data(tmp_path, "ImageData", "label: false batch_size: 2", tops=1).forward()
    np.testing.assert_array_equal(images, np.stack(photos[:2]).transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("type", "text", "params", "more", "tops", "message"),
    [
        ("MultiLabelImageData", "0.png\n", "", "", 2, "list:1: expected a path and some numbers"),
        ("MultiLabelImageData", "0.png 1 2\n1.png 1\n", "", "", 2, "list:2: expected a path and 2 numbers"),
        (
            "ImageFloatData",
            "0.png 1 x\n",
            "",
            "image_float_data_param { label_dim: 2 }",
            2,
            "a path and 2 numbers",
        ),
        ("ImageFloatData", "0.png 1\n", "", "image_float_data_param { label_dim: 0 }", 2, "label_dim is 0"),
        ("ImageFloatData", "0.png 1\n", "", "", 3, "has 3 tops"),
        ("ImageData", "0.png 1\n", "label: false", "", 2, "has 2 tops"),
        ("ImageData", "0.png 1\n", "", "", 1, "has 1 tops"),
        ("ImageData", "0.png 1\n", "new_dim: 3 new_height: 2 new_width: 2", "", 2, "exclude each other"),
    ],
)
def test_what_is_wrong(tmp_path, photos, type, text, params, more, tops, message):
    (tmp_path / "list").write_text(text)
    with pytest.raises(LayerError, match=message):
        data(tmp_path, type, params, more, tops)
