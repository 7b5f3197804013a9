"""noise_param: each field on a small image, against what it is to do."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.data.image_transformer import ImageTransformer
from caffe_compat.rng import Rng, set_random_seed
from layers.harness import parse

IMAGE = np.random.RandomState(1).randint(0, 256, (9, 8, 3)).astype(np.uint8)


def noisy(param: str, image: np.ndarray = IMAGE) -> np.ndarray:
    """The image that noise_param leaves, height x width x channels."""
    set_random_seed(7)
    made = ImageTransformer(Layer(parse(f'name: "d" transform_param {{ noise_param {{ {param} }} }}'), TRAIN))
    made.start_thread()
    out = np.full(made.shape(image.transpose(2, 0, 1)), np.nan, np.float32)
    made.transform(image.transpose(2, 0, 1), out, "an image")
    return out.transpose(1, 2, 0)


def luma(image, change):
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)
    planes[:, :, 0] = change(planes[:, :, 0].copy())
    return cv2.cvtColor(planes, cv2.COLOR_YCrCb2BGR)


def jpeg(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize(
    "param, want",
    [
        ("", IMAGE),
        ("inverse: true", 255 - IMAGE),
        ("decolorize: true", np.repeat(cv2.cvtColor(IMAGE, cv2.COLOR_BGR2GRAY)[:, :, None], 3, axis=2)),
        ("gauss_blur: true", cv2.GaussianBlur(IMAGE, (7, 7), 1.5)),
        ("hist_eq: true", luma(IMAGE, cv2.equalizeHist)),
        ("clahe: true", luma(IMAGE, cv2.createCLAHE(4).apply)),
        ("jpeg: 20", jpeg(IMAGE)),
        ("posterize: true", IMAGE // 64 * 64 + 32),
        ("erode: true", cv2.erode(IMAGE, np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8))),
        ("convert_to_hsv: true", cv2.cvtColor(IMAGE, cv2.COLOR_BGR2HSV)),
        ("inverse: true posterize: true", 255 - (IMAGE // 64 * 64 + 32)),
    ],
)
def test_each_field(param, want):
    np.testing.assert_array_equal(noisy(param), want)


def test_salt_and_pepper_falls_where_the_threads_stream_says():
    got = noisy("saltpepper: true saltpepper_param { fraction: 0.3 value: 1 value: 2 value: 3 }")
    rng, want = Rng(Rng(7).draw()), IMAGE.copy()
    for _ in range(int(0.3 * 72)):
        x, y = rng.draw() % 8, rng.draw() % 9
        want[y, x] = 1, 2, 3
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    "param", ["hist_eq: true", "clahe: true", "jpeg: 50", "erode: true", "gauss_blur: true"]
)
def test_grey_images_stay_grey(param):
    assert noisy(param, IMAGE[:, :, :1]).shape == (9, 8, 1)


@pytest.mark.parametrize(
    "param, channels, message",
    [
        ("convert_to_lab: true", 3, "convert_to_lab gives no image in Caffe"),
        ("saltpepper: true", 3, "saltpepper of noise_param needs values"),
        (
            "saltpepper: true saltpepper_param { fraction: 1 value: 1 value: 2 }",
            3,
            "has 2 values for 3 channels",
        ),
        ("decolorize: true", 1, "wants images of 3 channels, found 1"),
        ("hist_eq: true", 2, "wants images of 3 channels, found 2"),
    ],
)
def test_what_does_not_fit(param, channels, message):
    with pytest.raises(LayerError, match=message):
        noisy(param, np.ascontiguousarray(IMAGE[:, :, :channels]))
