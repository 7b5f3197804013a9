"""Classifier and Detector on nets that add up what they see."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import caffe_compat as caffe

RNG = np.random.RandomState(9)
NET = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 dim: {0} dim: {1} }} }} }}
layer {{ name: "sum" type: "Reduction" bottom: "data" top: "sum" reduction_param {{ axis: 2 operation: MEAN }} }}
"""


@pytest.fixture
def model(tmp_path):
    def write(height, width):
        (tmp_path / "net.prototxt").write_text(NET.format(height, width))
        return str(tmp_path / "net.prototxt")

    return write


def test_classifier(model):
    """The mean of each channel of the crop, in the input's order of channels."""
    net = caffe.Classifier(
        model(4, 5),
        None,
        image_dims=(8, 9),
        mean=np.array([1.0, 2.0, 3.0]),
        raw_scale=10,
        channel_swap=(2, 1, 0),
    )
    images = [RNG.rand(8, 9, 3).astype(np.float32) for _ in range(3)]
    got = net.predict(images, oversample=False)
    want = [(10 * image[2:6, 2:7].mean((0, 1)))[::-1] - [1, 2, 3] for image in images]
    np.testing.assert_allclose(got, want, rtol=1e-5)
    got = net.predict(images)
    parts = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    want = [
        np.mean([(10 * im[y : y + 4, x : x + 5].mean((0, 1)))[::-1] - [1, 2, 3] for y, x in parts], 0)
        for im in images
    ]
    assert got.shape == (3, 3)
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_classifier_resizes(model):
    net = caffe.Classifier(model(4, 5), None)
    image = RNG.rand(8, 10, 3).astype(np.float32)
    assert list(net.image_dims) == [4, 5]
    np.testing.assert_allclose(net.predict([image], oversample=False)[0], image.mean((0, 1)), rtol=1e-5)


def photo(tmp_path, height=40, width=50, name="photo.png"):
    pixels = RNG.randint(0, 256, (height, width, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / name), pixels)
    return str(tmp_path / name), pixels[:, :, ::-1] / 255


def test_windows(model, tmp_path):
    net = caffe.Detector(model(6, 6), None, raw_scale=2.0)
    (first, pixels), (second, others) = photo(tmp_path), photo(tmp_path, 30, 31, "other.png")
    windows = [(first, np.array([[3, 5, 15, 17], [0, 0, 6, 6]])), (second, np.array([[1, 2, 13, 14]]))]
    found = net.detect_windows(iter(windows))
    assert [item["filename"] for item in found] == [first, first, second]
    assert found[1]["window"].tolist() == [0, 0, 6, 6]
    for item, part in zip(found, [pixels[3:15, 5:17], pixels[:6, :6], others[1:13, 2:14]], strict=True):
        np.testing.assert_allclose(item["prediction"], 2 * part.mean((0, 1)), rtol=1e-5)
    assert net.detect_windows([]) == []


def test_context(model):
    """16 pixels with a border of 4: the window's 8 rows (0 to 7, both counted) become the middle 8 of 16."""
    net = caffe.Detector(
        model(16, 16),
        None,
        mean=np.array([20.0, 30.0, 40.0]),
        raw_scale=10,
        channel_swap=(2, 1, 0),
        context_pad=4,
    )
    assert net.crop_mean.ravel().tolist() == [4, 3, 2]  # in the image's own order and scale
    image = RNG.rand(40, 50, 3).astype(np.float32)
    inside = net.crop(image, np.array([10, 20, 17, 27]))
    # centre 14 and 24, reach 8: rows 6 to 22, of which the end is left out, in 17 rows' scale
    np.testing.assert_allclose(inside, caffe.io.resize_image(image[6:22, 16:32], (16, 16)), rtol=1e-6)
    # centre 4 and 24: rows -4 to 12; 4 of 17 rows lie outside, 4 * 16 / 17 of the crop, 13 * 16 / 17 are left
    above = net.crop(image, np.array([0, 20, 7, 27]))
    assert above.shape == (16, 16, 3) and (above[:4] == [4, 3, 2]).all()
    np.testing.assert_allclose(above[4:], caffe.io.resize_image(image[0:12, 16:32], (12, 16)), rtol=1e-6)


def test_context_without_a_mean(model):
    net = caffe.Detector(model(16, 16), None, context_pad=4)
    assert not net.crop(np.ones((9, 9, 3), np.float32), [0, 0, 7, 7])[:4].any()


def test_selective_search(model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:30, 20:50] = (255, 0, 0)
    cv2.imwrite(str(tmp_path / "box.png"), pixels)
    found = caffe.Detector(model(6, 6), None).detect_selective_search([str(tmp_path / "box.png")])
    windows = [tuple(item["window"]) for item in found]
    assert (10, 20, 29, 49) in windows
    inside = found[windows.index((10, 20, 29, 49))]["prediction"]
    np.testing.assert_allclose(inside, [0, 0, 1], atol=1e-6)


def image(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    "images, message",
    [
        (image(8, 9, 3), r"list of images is expected.* an array of 8 x 9 x 3; give one image as \[image\]"),
        (image(8, 9), r"an array of 8 x 9; give one"),
        ([image(8, 9, 1)], r"image 0 has 1 channel, the net's input 3: load_image\(file, color=True\)"),
        (
            [image(4, 5, 3), image(8, 9)],
            r"image 1 has the shape \(8, 9\).*a grey image is height x width x 1",
        ),
        ([image(8, 9, 4)], r"has 4 channels, the net's input 3: leave out its transparency"),
        ([image(3, 8, 9)], r"has 9 channels, the net's input 3: channels stand last"),
        ([image(0, 9, 3)], r"shape \(0, 9, 3\)"),
        (["dog.jpg"], r"image 0 is 'dog.jpg', which is no array; load it with load_image"),
        ("dog.jpg", r"not 'dog.jpg'; load files"),
        ([], "no images in the list"),
    ],
)
@pytest.mark.parametrize("oversample", [True, False])
def test_what_is_no_list_of_images(model, images, message, oversample):
    with pytest.raises(ValueError, match=message):
        caffe.Classifier(model(4, 5), None, channel_swap=(2, 1, 0)).predict(images, oversample)


def test_images_of_many_sizes_are_a_list(model):
    got = caffe.Classifier(model(4, 5), None).predict([image(4, 5, 3) + 1, image(7, 6, 3) + 2])
    np.testing.assert_allclose(got, [[1] * 3, [2] * 3], rtol=1e-6)


def test_crops_larger_than_the_images(model):
    small = caffe.Classifier(model(4, 5), None, image_dims=(8, 4))
    for oversample in (True, False):
        with pytest.raises(ValueError, match=r"resized to 8 x 4 \(image_dims\), .* input of 4 x 5"):
            small.predict([image(9, 9, 3)], oversample)
    with pytest.raises(ValueError, match="the crop of 5 x 2 is larger than the images of 4 x 9"):
        caffe.io.oversample([image(4, 9, 3)], (5, 2))
    with pytest.raises(ValueError, match=r"oversample takes a list of images.*shape \(9, 3\)"):
        caffe.io.oversample(image(4, 9, 3), (2, 2))
    with pytest.raises(ValueError, match=r"images of one size; these are \(4, 9, 3\), \(4, 8, 3\)"):
        caffe.io.oversample([image(4, 9, 3), image(4, 8, 3)], (2, 2))
    with pytest.raises(ValueError, match="crop_dims is 3; expected"):
        caffe.io.oversample([image(4, 9, 3)], 3)
    with pytest.raises(ValueError, match=r"new_dims is \(0, 4\)"):
        caffe.io.resize_image(image(4, 9, 3), (0, 4))
    with pytest.raises(ValueError, match=r"the image has the shape \(4, 9\)"):
        caffe.io.resize_image(image(4, 9), (2, 4))


def test_preprocess_wants_the_channels_of_the_input(model):
    net = caffe.Net(model(4, 5), caffe.TEST)
    transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
    assert transformer.preprocess("data", image(4, 5)).shape == (4, 5)  # a blob takes it, too
    transformer.set_transpose("data", (2, 0, 1))
    assert transformer.preprocess("data", image(4, 5, 1)).shape == (
        1,
        4,
        5,
    )  # a blob takes it for each channel
    transformer.set_mean("data", np.ones(3))
    with pytest.raises(ValueError, match=r"the image has 1 channel, the net's input 3"):
        transformer.preprocess("data", image(4, 5, 1))
    with pytest.raises(ValueError, match=r"the image has the shape \(4, 5\)"):
        transformer.preprocess("data", image(4, 5))
    for mean, message in [
        (image(1, 3, 9, 9), r"\(1, 3, 9, 9\); .* or an image: give mean\[0\]"),
        (image(9, 9, 3), r"\(9, 9, 3\), and input 'data' 3 channels; channels stand first"),
        (image(2, 9, 9), r"\(2, 9, 9\), and input 'data' 3 channels$"),
    ]:
        with pytest.raises(ValueError, match=message):
            transformer.set_mean("data", mean)
    with pytest.raises(
        ValueError, match=r"one image, 3 x 4 x 5, not an array of \(2, 3, 4, 5\); .* data\[i\]"
    ):
        transformer.deprocess("data", image(2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"input 'data' has shape \(2, 3, 4, 5\), got .* \(2, 3, 4, 6\)"):
        net.forward(data=image(2, 3, 4, 6))


def test_deprocess_gives_a_grey_image_its_channel():
    transformer = caffe.io.Transformer({"data": (2, 1, 4, 5)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_raw_scale("data", 255)
    grey = RNG.rand(4, 5, 1).astype(np.float32)
    back = transformer.deprocess("data", transformer.preprocess("data", grey)[None])
    assert back.shape == (4, 5, 1)
    np.testing.assert_allclose(back, grey, rtol=1e-6)


def test_nets_without_an_image_input(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('input: "x" input_shape { dim: 2 dim: 3 }')
    for kind in (caffe.Classifier, caffe.Detector):
        with pytest.raises(ValueError, match=r"its inputs are x \(2, 3\): use the deploy.prototxt"):
            kind(str(path), None)


def test_windows_that_are_none(model, tmp_path):
    net = caffe.Detector(model(6, 6), None)
    path, _ = photo(tmp_path)
    for windows, message in [
        ([3, 5, 15, 17], "3 is no window"),
        ([[3, 5, 3, 17]], r"window \(3, 5, 3, 17\) .* has to begin in the image, which is 40 x 50"),
        ([[40, 5, 45, 17]], "has to begin in the image"),
        ([[-4, 5, 5, 17]], "has to begin in the image"),
    ]:
        with pytest.raises(ValueError, match=rf"photo.png: .*{message}"):
            net.detect_windows([(path, windows)])
    for height, width, pad in [(6, 7, 1), (6, 6, 3)]:
        with pytest.raises(ValueError, match=f"context_pad is {pad} and the net's input {height} x {width}"):
            caffe.Detector(model(height, width), None, context_pad=pad)


def test_windows_of_a_grey_net(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET.format(6, 6).replace("dim: 3", "dim: 1"))
    path, pixels = photo(tmp_path)
    (found,) = caffe.Detector(str(tmp_path / "net.prototxt"), None).detect_windows([(path, [[0, 0, 6, 6]])])
    grey = (pixels[:6, :6] @ [0.2125, 0.7154, 0.0721]).mean()
    np.testing.assert_allclose(found["prediction"], [grey], rtol=1e-5)
