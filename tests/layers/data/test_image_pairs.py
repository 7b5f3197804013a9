"""ImageLabelmapData, ImageSegData and DenseImageData on files written here: transformed alike, in Caffe's order."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.rng import Rng, set_random_seed
from layers.harness import Runner

MESSAGES = {"DenseImageData": "dense_image_data_param"}


@pytest.fixture
def pairs(tmp_path):
    """Four PNG files of 6 x 7 with maps, and their list; returns the pixels and the maps."""
    rng = np.random.RandomState(3)
    pixels = rng.randint(0, 256, (4, 6, 7, 3)).astype(np.uint8)
    maps = rng.randint(0, 256, (4, 6, 7)).astype(np.uint8)
    for i in range(4):
        cv2.imwrite(f"{tmp_path}/{i}.png", pixels[i])
        cv2.imwrite(f"{tmp_path}/map{i}.png", maps[i])
    (tmp_path / "list").write_text("".join(f"{i}.png  map{i}.png\n" for i in range(4)))
    return pixels, maps


def data(folder, type: str, params: str = "", more: str = "", tops: int = 2, phase=TRAIN) -> Runner:
    message = MESSAGES.get(type, "image_data_param")
    text = f"source: '{folder}/list' root_folder: '{folder}/' {params or 'batch_size: 1'}"
    return Runner(f"type: '{type}' {message} {{ {text} }} {more}", [], tops=tops, phase=phase)


@pytest.mark.parametrize("type", ["ImageLabelmapData", "ImageSegData", "DenseImageData"])
def test_in_the_order_of_the_list(tmp_path, pairs, type):
    pixels, maps = pairs
    runner = data(tmp_path, type, "batch_size: 3")
    for batch in ([0, 1, 2], [3, 0, 1]):
        images, labels = runner.forward()
        np.testing.assert_array_equal(images, pixels[batch].transpose(0, 3, 1, 2))
        want = maps[batch] / 255 >= 0.5 if type == "ImageLabelmapData" else maps[batch]
        np.testing.assert_array_equal(labels, want[:, None])


def test_labels_of_every_second_row_and_column(tmp_path, pairs):
    _, maps = pairs
    size = "new_height: 6 new_width: 8 label_divide_factor: 2"
    images, labels = data(tmp_path, "DenseImageData", f"batch_size: 3 {size}").forward()
    assert images.shape == (3, 3, 6, 8)
    want = [cv2.resize(m, (4, 3), interpolation=cv2.INTER_NEAREST) for m in maps[:3]]
    np.testing.assert_array_equal(labels[:, 0], want)
    with pytest.raises(LayerError, match="label_divide_factor: 4 has to divide new_height and new_width"):
        data(tmp_path, "DenseImageData", "batch_size: 1 new_height: 6 new_width: 8 label_divide_factor: 4")


def test_both_are_cropped_and_mirrored_alike(tmp_path, pairs):
    pixels, maps = pairs
    set_random_seed(8)
    stream = Rng(8)
    transform = "transform_param { mirror: true crop_size: 4 mean_value: 10 scale: 0.5 }"
    images, labels = data(
        tmp_path, "ImageLabelmapData", "batch_size: 4 normalize: false", transform
    ).forward()
    stream.draw()  # the transformer's first stream is started anew after the source is open
    rng, mirrored = Rng(stream.draw()), 0
    for i in range(4):
        mirror, y, x = rng.draw() % 2, rng.draw() % 3, rng.draw() % 4
        mirrored += mirror
        columns = slice(None, None, -1 if mirror else 1)
        crop = pixels[i, y : y + 4, x : x + 4][:, columns]
        np.testing.assert_allclose(images[i], (crop.transpose(2, 0, 1).astype(float) - 10) / 2)
        np.testing.assert_array_equal(labels[i, 0], maps[i, y : y + 4, x : x + 4][:, columns])
    assert 0 < mirrored < 4


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_cropped_and_mirrored_as_segnet_does(tmp_path, pairs, phase):
    """By its own message, in each phase: drawn are the mirror, the crop's row and its column, in this order."""
    pixels, maps = pairs
    set_random_seed(8)
    stream = Rng(8)
    params = "batch_size: 4 mirror: true crop_height: 4 crop_width: 5"
    images, labels = data(tmp_path, "DenseImageData", params, phase=phase).forward()
    stream.draw()
    rng, mirrored = Rng(stream.draw()), 0
    for i in range(4):
        mirror, y, x = rng.draw() % 2, rng.draw() % 3, rng.draw() % 3
        mirrored += mirror
        columns = slice(x, x + 5)
        image, classes = pixels[i], maps[i]
        want = image[y : y + 4, columns], classes[y : y + 4, columns]
        want = [array[:, ::-1] if mirror else array for array in want]
        np.testing.assert_array_equal(images[i], want[0].transpose(2, 0, 1))
        np.testing.assert_array_equal(labels[i, 0], want[1])
    assert 0 < mirrored < 4


def test_labels_of_every_second_pixel_are_mirrored_as_a_smaller_map_is(tmp_path, pairs):
    pixels, maps = pairs
    set_random_seed(8)
    params = "batch_size: 4 new_height: 6 new_width: 8 label_divide_factor: 2 mirror: true"
    images, labels = data(tmp_path, "DenseImageData", params).forward()
    mirrored = 0
    for i in range(4):
        image = cv2.resize(pixels[i], (8, 6)).transpose(2, 0, 1)
        small = cv2.resize(maps[i], (4, 3), interpolation=cv2.INTER_NEAREST)
        flips = (images[i] == image[:, :, ::-1]).all()
        mirrored += flips
        np.testing.assert_array_equal(images[i], image[:, :, ::-1] if flips else image)
        np.testing.assert_array_equal(labels[i, 0], small[:, ::-1] if flips else small)
    assert 0 < mirrored < 4


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_scaled_and_padded(tmp_path, pairs, phase):
    """The mirror, the factor, and in phase TRAIN the crop's row and column are drawn, in this order."""
    pixels, maps = pairs
    set_random_seed(9)
    stream = Rng(9)
    transform = (
        "transform_param { mirror: true scale_factors: 0.5 scale_factors: 1 scale_factors: 1.7 crop_height: 5 "
        "crop_width: 8 mean_value: 3 mean_value: 5 mean_value: 7 }"
    )
    runner = data(tmp_path, "ImageSegData", "batch_size: 4 ignore_label: 200", transform, tops=3, phase=phase)
    images, labels, sizes = runner.forward()
    assert images.shape == (4, 3, 5, 8) and labels.shape == (4, 1, 5, 8)
    assert sizes.shape == (4, 1, 1, 2) and (sizes == [5, 7]).all()
    stream.draw()
    rng, factors = Rng(stream.draw()), set()
    for i in range(4):
        mirror, factor = rng.draw() % 2, [0.5, 1, 1.7][rng.draw() % 3]
        factors.add(factor)
        height, width = int(np.float32(6) * np.float32(factor)), int(np.float32(7) * np.float32(factor))
        image = cv2.resize(pixels[i], (width, height)) if factor != 1 else pixels[i]
        classes = (
            cv2.resize(maps[i], (width, height), interpolation=cv2.INTER_NEAREST) if factor != 1 else maps[i]
        )
        larger = np.tile(np.array([3.0, 5, 7]), (max(height, 5), max(width, 8), 1))
        larger[:height, :width] = image
        more = np.full(larger.shape[:2], 200)
        more[:height, :width] = classes
        room = larger.shape[0] - 5, larger.shape[1] - 8
        y, x = (rng.draw() % (n + 1) for n in room) if phase == TRAIN else (n // 2 for n in room)
        columns = slice(None, None, -1 if mirror else 1)
        crop = (larger[y : y + 5, x : x + 8] - [3, 5, 7])[:, columns]
        np.testing.assert_allclose(images[i], crop.transpose(2, 0, 1))
        np.testing.assert_array_equal(labels[i, 0], more[y : y + 5, x : x + 8][:, columns])
    assert len(factors) > 1


def test_labels_of_whole_images(tmp_path, pairs):
    (tmp_path / "list").write_text("0.png 4\n1.png 9\n")
    _, labels = data(tmp_path, "ImageSegData", "batch_size: 2 label_type: IMAGE").forward()
    assert [np.unique(image).tolist() for image in labels] == [[4], [9]]
    (tmp_path / "list").write_text("0.png\n")
    _, labels = data(tmp_path, "ImageSegData", "label_type: NONE ignore_label: 33").forward()
    assert np.unique(labels).tolist() == [33]


def test_how_maps_are_resized(tmp_path, pairs):
    _, maps = pairs
    for type, how in (("DenseImageData", cv2.INTER_NEAREST), ("ImageSegData", cv2.INTER_LINEAR)):
        _, labels = data(tmp_path, type, "batch_size: 1 new_height: 4 new_width: 9").forward()
        np.testing.assert_array_equal(labels[0, 0], cv2.resize(maps[0], (9, 4), interpolation=how))


@pytest.mark.parametrize("type", ["ImageLabelmapData", "ImageSegData"])
def test_the_state_goes_on_exactly(tmp_path, pairs, type):
    more = "batch_size: 3 shuffle: true", "transform_param { mirror: true crop_size: 3 }"
    a, b = data(tmp_path, type, *more), data(tmp_path, type, *more)
    for _ in range(3):
        a.forward()
    b.layer.set_state(a.layer.get_state())
    for _ in range(4):
        for x, y in zip(a.forward(), b.forward(), strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("type", "text", "params", "more", "message"),
    [
        ("ImageLabelmapData", "0.png\n", "", "", "list:1: expected the paths of an image and of its labels"),
        ("ImageLabelmapData", "0.png none.png\n", "", "", "list:1: cannot read the image"),
        ("ImageLabelmapData", "0.png small.png\n", "", "", r"0.png' is \(6, 7\), its labels \(3, 3\)"),
        (
            "ImageLabelmapData",
            "small.png small.png\n",
            "",
            "transform_param { crop_size: 4 }",
            "small.png' is",
        ),
        ("ImageSegData", "0.png x\n", "label_type: IMAGE", "", "expected a class from 0 to 255, found 'x'"),
        (
            "ImageSegData",
            "0.png map0.png\n",
            "",
            "transform_param { crop_height: 4 }",
            "both crop_height and",
        ),
        ("ImageSegData", "0.png map0.png\n", "", "transform_param { scale_factors: 0 }", "must be above 0"),
        ("ImageSegData", "0.png map0.png\n", "new_height: 3", "", "go together"),
        (
            "ImageSegData",
            "0.png map0.png\nsmall.png small.png\n",
            "batch_size: 2",
            "",
            "make all images alike",
        ),
        ("DenseImageData", "0.png map0.png\n", "batch_size: 0", "", "batch_size is 0"),
        ("DenseImageData", "0.png map0.png\n", "crop_width: 3", "", "crop_height and crop_width go together"),
        (
            "DenseImageData",
            "0.png map0.png\n",
            "batch_size: 1 crop_height: 7 crop_width: 3",
            "",
            r"is \(6, 7\) \(height, width\) where the batch has \(7, 3\)",
        ),
        (
            "DenseImageData",
            "0.png map0.png\n",
            "batch_size: 1 new_height: 6 new_width: 8 label_divide_factor: 2 crop_height: 2 crop_width: 3",
            "",
            "do not go together",
        ),
    ],
)
def test_what_is_wrong(tmp_path, pairs, type, text, params, more, message):
    cv2.imwrite(f"{tmp_path}/small.png", np.zeros((3, 3), np.uint8))
    (tmp_path / "list").write_text(text)
    with pytest.raises(LayerError, match=message):
        data(tmp_path, type, params, more).forward()
