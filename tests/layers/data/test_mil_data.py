"""MILData on files written here: scales, labels, the order, and what is wrong."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import Rng, caffe_rng, set_random_seed
from layers.data.sharing import shares_what_one_serves
from layers.harness import Runner

h5py = pytest.importorskip("h5py")
SIZES = ((8, 5), (6, 6), (5, 9))


@pytest.fixture
def photos(tmp_path):
    """Three images, upright, square and lying; returns the pixels, and the labels."""
    rng = np.random.RandomState(3)
    pixels = [rng.randint(0, 256, (*size, 3)).astype(np.uint8) for size in SIZES]
    labels = rng.randint(0, 2, (3, 4))
    with h5py.File(tmp_path / "labels.h5", "w") as file:
        for i, image in enumerate(pixels):
            cv2.imwrite(f"{tmp_path}/im{i}.png", image)
            file[f"labels-im{i}"] = labels[i].reshape(1, 1, 4, 1).astype(np.float32)
    (tmp_path / "list").write_text("im0 im1\nim2\n")
    return pixels, labels


def data(folder, params: str = "", transform: str = "") -> Runner:
    given = {
        "source": f'"{folder}/list"',
        "label_file": f'"{folder}/labels.h5"',
        "root_dir": f'"{folder}"',
        "ext": '"png"',
        "n_classes": "4",
    }
    text = " ".join(f"{name}: {value}" for name, value in given.items() if f"{name}:" not in params)
    set_random_seed(9)
    return Runner(
        f'type: "MILData" mil_data_param {{ {text} {params} }} transform_param {{ crop_size: 12 {transform} }}',
        [],
        2,
    )


def test_images_in_their_order(tmp_path, photos):
    """At 12, 6 and 3 pixels of the longer side; mirrored, less the mean, and scale 2.9 is 2."""
    transform = "mirror: true scale: 2.9 mean_value: 3 mean_value: 5 mean_value: 7"
    with pytest.warns(UserWarning, match=r"scale 2\.9 is cut to 2, as in the original"):
        runner = data(
            tmp_path, "images_per_batch: 2 randomize: false num_scales: 3 scale_factor: 0.5", transform
        )
    pixels, labels = photos
    for batch in ((0, 1), (2, 0)):
        images, words = runner.forward()
        assert images.shape == (6, 3, 12, 12) and words.shape == (2, 4, 1, 1)
        for i, which in enumerate(batch):
            np.testing.assert_array_equal(words[i].ravel(), labels[which])
            height, width = SIZES[which]
            for k, side in enumerate((12, 6, 3)):
                longer = max(height, width)
                size = width * side // longer, height * side // longer
                resized = cv2.resize(pixels[which], size, interpolation=cv2.INTER_LINEAR)[:, ::-1]
                want = np.zeros((12, 12, 3))
                want[: size[1], : size[0]] = 2 * (resized - np.array([3.0, 5, 7]))
                np.testing.assert_array_equal(images[3 * i + k], want.transpose(2, 0, 1))


def test_images_are_drawn(tmp_path, photos):
    runner = data(tmp_path, "images_per_batch: 5 channels: 2")
    set_random_seed(9)
    stream = Rng(caffe_rng().draw())
    pixels, labels = photos
    images, words = runner.forward()
    state = runner.layer.get_state()
    for i, which in enumerate([stream.draw() % 3 for _ in range(5)]):
        np.testing.assert_array_equal(words[i].ravel(), labels[which])
        height, width = (side * 12 // max(SIZES[which]) for side in SIZES[which])
        want = cv2.resize(pixels[which], (width, height), interpolation=cv2.INTER_LINEAR)[..., :2] - 128.0
        np.testing.assert_array_equal(images[i, :, :height, :width], want.transpose(2, 0, 1))
    then = [top.copy() for top in runner.forward()]
    runner.layer.set_state(state)
    for a, b in zip(runner.forward(), then, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("params", ["images_per_batch: 2", "images_per_batch: 2 randomize: false"])
def test_workers(tmp_path, photos, params):
    shares_what_one_serves(lambda: data(tmp_path, params))


@pytest.mark.parametrize(
    "params, transform, message",
    [
        ("", "", "images_per_batch is 0"),
        ("images_per_batch: 1 channels: 4", "", "channels is 4; images have 3"),
        ("images_per_batch: 1 scale_factor: 1.5", "", "scale_factor is 1.5"),
        ("images_per_batch: 1", "scale: nan", "scale is nan; expected a finite number"),
        ("images_per_batch: 1", "mean_value: 3", "there are 1 mean_value"),
        ("images_per_batch: 1 source: 'none'", "", "cannot read the list of images 'none'"),
        ("images_per_batch: 1 label_file: 'none'", "", "cannot read the labels 'none': No such file"),
        ("images_per_batch: 1 label_file: 'LIST'", "", "cannot read the labels"),
        ("images_per_batch: 1 ext: 'jpg'", "", "list:1: cannot read the image"),
        ("images_per_batch: 1 n_classes: 5", "", r"list:1: expected .* \(1, 1, 5, 1\), in .* \(1, 1, 4, 1\)"),
        (
            "images_per_batch: 1 num_scales: 4 scale_factor: 0.1",
            "",
            "im0.png' of 8 x 5 pixels has no pixels left",
        ),
    ],
)
def test_what_is_wrong(tmp_path, photos, params, transform, message):
    params = params.replace("LIST", str(tmp_path / "list"))
    with pytest.raises(LayerError, match=message):
        data(tmp_path, f"{params} randomize: false", transform).forward()


def test_an_image_without_labels(tmp_path, photos):
    cv2.imwrite(f"{tmp_path}/im7.png", photos[0][0])
    (tmp_path / "list").write_text("im7\n")
    with pytest.raises(LayerError, match=r"list:1: expected numbers labels-im7, .* which lacks it"):
        data(tmp_path, "images_per_batch: 1").forward()
