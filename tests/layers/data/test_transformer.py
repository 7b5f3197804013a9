"""The DataTransformer against plain loops: crop, mirror, means, scale, and its random numbers."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN, Layer
from caffe_compat.layers.data.transformer import DataTransformer
from caffe_compat.prototxt.caffe_pb2 import BlobProto
from caffe_compat.rng import Rng, caffe_rng, set_random_seed
from layers.harness import parse

IMAGE = np.random.RandomState(1).randint(0, 256, (3, 6, 8)).astype(np.uint8)


def transformer(param: str, phase: int = TRAIN) -> DataTransformer:
    return DataTransformer(Layer(parse(f'name: "d" transform_param {{ {param} }}'), phase))


def run(made: DataTransformer, image: np.ndarray = IMAGE) -> np.ndarray:
    out = np.full(made.shape(image), np.nan, np.float32)
    made.transform(image, out, "an image")
    return out


def naive(image, y, x, height, width, mirror, mean, scale):
    out = np.zeros((len(image), height, width), np.float32)
    for c, h, w in np.ndindex(*out.shape):
        value = np.float32(image[c, y + h, x + w]) - np.float32(mean(c, y + h, x + w))
        out[c, h, width - 1 - w if mirror else w] = value * np.float32(scale)
    return out


def write_mean(path, shape):
    values = np.random.RandomState(2).uniform(0, 255, shape).astype(np.float32)
    proto = BlobProto(data=values.ravel().tolist())
    proto.num, proto.channels, proto.height, proto.width = 1, *shape
    path.write_bytes(proto.SerializeToString())
    return values


def test_without_params_it_copies():
    np.testing.assert_array_equal(run(transformer("")), IMAGE)


@pytest.mark.parametrize("means", [[7.25], [1.5, 20, 300]])
def test_mean_values_and_scale(means):
    text = " ".join(f"mean_value: {m}" for m in means)
    want = naive(IMAGE, 0, 0, 6, 8, False, lambda c, y, x: means[c % len(means)], 0.017)
    np.testing.assert_array_equal(run(transformer(f"{text} scale: 0.017")), want)


def test_float_images():
    image = np.random.RandomState(4).standard_normal((2, 5, 3)).astype(np.float32)
    want = naive(image, 0, 0, 5, 3, False, lambda c, y, x: 0.5, 3)
    np.testing.assert_array_equal(run(transformer("mean_value: 0.5 scale: 3"), image), want)


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_crop_and_mirror_with_a_mean_image(tmp_path, phase):
    mean = write_mean(tmp_path / "mean.binaryproto", IMAGE.shape)
    set_random_seed(9)
    made = transformer(f'mirror: true crop_size: 4 mean_file: "{tmp_path}/mean.binaryproto" scale: 2', phase)
    set_random_seed(9)
    rng, mirrored = Rng(caffe_rng().draw()), []
    for _ in range(6):
        mirrored.append(rng.draw() % 2)
        y, x = (rng.draw() % 3, rng.draw() % 5) if phase == TRAIN else (1, 2)
        want = naive(IMAGE, y, x, 4, 4, mirrored[-1], lambda c, y, x: mean[c, y, x], 2)
        np.testing.assert_array_equal(run(made), want)
    assert 0 < sum(mirrored) < 6


def test_no_random_number_is_taken_where_none_is_needed():
    set_random_seed(3)
    transformer("crop_size: 2", TEST)
    assert caffe_rng().draw() == Rng(3).draw()


def test_the_state_goes_on_exactly():
    a, b = transformer("mirror: true crop_size: 3"), transformer("mirror: true crop_size: 3")
    run(a)
    b.set_state(a.get_state())
    for _ in range(5):
        np.testing.assert_array_equal(run(a), run(b))


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ('mean_file: "a" mean_value: 1', "both mean_file and mean_value"),
        ("force_color: true force_gray: true", "both force_color and force_gray"),
        ("crop_size: 7", "an image is 6 x 8, smaller than crop_size 7"),
        ("mean_value: 1 mean_value: 2", "there are 2 mean_values, an image has 3 channels"),
        ('mean_file: "/nowhere/mean"', "cannot read '/nowhere/mean'"),
    ],
)
def test_wrong_params(param, message):
    with pytest.raises(LayerError, match=message):
        run(transformer(param))


def test_a_mean_image_of_another_size(tmp_path):
    write_mean(tmp_path / "mean", (3, 5, 8))
    with pytest.raises(LayerError, match=r"mean' has the shape \(3, 5, 8\), an image \(3, 6, 8\)"):
        run(transformer(f'mean_file: "{tmp_path}/mean"'))
