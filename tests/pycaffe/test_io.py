"""caffe.io: numbers from arithmetic of its own, from scipy, and round trips."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.ndimage import zoom

from caffe_compat import DataError
from caffe_compat.prototxt.caffe_pb2 import BlobProto
from caffe_compat.pycaffe import io

RNG = np.random.RandomState(5)


def test_blobprotos():
    data, diff = RNG.rand(2, 3, 5).astype(np.float32), RNG.rand(2, 3, 5).astype(np.float32)
    proto = io.array_to_blobproto(data, diff)
    assert np.array_equal(io.blobproto_to_array(proto), data)
    assert np.array_equal(io.blobproto_to_array(proto, return_diff=True), diff)
    old = BlobProto(num=2, channels=1, height=3, width=5, data=data.ravel())
    assert np.array_equal(io.blobproto_to_array(old), data[:, None])
    with pytest.raises(ValueError):
        io.blobproto_to_array(BlobProto(data=[1, 2]))
    back = io.blobprotovector_str_to_arraylist(io.arraylist_to_blobprotovector_str([data, diff[0]]))
    assert np.array_equal(back[0], data) and np.array_equal(back[1], diff[0])


def test_datums():
    bytes_, floats = RNG.randint(0, 256, (3, 4, 5)).astype(np.uint8), RNG.rand(2, 4, 5).astype(np.float32)
    datum = io.array_to_datum(bytes_, label=7)
    assert (datum.label, datum.channels, datum.height, datum.width) == (7, 3, 4, 5)
    back = io.datum_to_array(datum)
    assert back.dtype == np.uint8 and np.array_equal(back, bytes_) and back.flags.writeable
    assert np.array_equal(io.datum_to_array(io.array_to_datum(floats)), floats)
    with pytest.raises(ValueError, match="channels x height x width"):
        io.array_to_datum(bytes_[0])
    datum.encoded = True
    with pytest.raises(ValueError, match="imdecode"):
        io.datum_to_array(datum)


@pytest.mark.parametrize("dtype, top", [(np.uint8, 255), (np.uint16, 65535)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_load_image(tmp_path, dtype, top, channels):
    pixels = RNG.randint(0, top + 1, (4, 6, channels)).astype(dtype)
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), pixels)
    rgb = np.repeat(pixels, 3, 2) if channels == 1 else pixels[:, :, 2::-1]
    got = io.load_image(path)
    assert got.dtype == np.float32 and got.shape == (4, 6, 3)
    np.testing.assert_allclose(got, rgb / top, rtol=1e-6)
    grey = rgb[..., 0] * 0.2125 + rgb[..., 1] * 0.7154 + rgb[..., 2] * 0.0721
    np.testing.assert_allclose(io.load_image(path, color=False)[:, :, 0], grey / top, rtol=1e-6)


def test_what_is_no_image(tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"text\.jpg"):
        io.load_image(tmp_path / "text.jpg")
    with pytest.raises(FileNotFoundError):
        io.load_image(tmp_path / "nothing.jpg")


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("shape, dims", [((7, 5, 3), (13, 9)), ((20, 31, 1), (9, 11))])
def test_resize_as_skimage(shape, dims, order):
    """skimage's resize is scipy's zoom with pixels as squares; the border is the least value."""
    image = (RNG.rand(*shape) * 200 + 50).astype(np.float32)
    scale = (dims[0] / shape[0], dims[1] / shape[1], 1)
    low = float(image.min())
    want = zoom(image - low, scale, order=order, mode="grid-constant", grid_mode=True) + low
    got = io.resize_image(image, dims, order)
    assert got.dtype == np.float32 and got.shape == (*dims, shape[2])
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize("order", [0, 1])
def test_resize_other_channels_as_scipy(order):
    image = RNG.rand(7, 5, 4).astype(np.float32)
    np.testing.assert_allclose(
        io.resize_image(image, (13, 9), order), zoom(image, (13 / 7, 9 / 5, 1), order=order), rtol=1e-5
    )


def test_resize_by_hand():
    image = np.array([[[0.0], [4.0]]], np.float32)  # 1 x 2, of which 1 x 4 is asked
    assert io.resize_image(image, (1, 4)).ravel().tolist() == [0, 1, 3, 3]  # the last: 4 * 0.75 + 0 * 0.25
    assert (io.resize_image(np.full((2, 3, 3), 7.0), (4, 5)) == 7).all()
    with pytest.raises(ValueError, match="interp_order"):
        io.resize_image(image, (1, 4), interp_order=3)


def test_oversample():
    images = RNG.rand(2, 6, 7, 3).astype(np.float32)
    crops = io.oversample(images, (3, 4))
    assert crops.shape == (20, 3, 4, 3) and crops.dtype == np.float32
    for i, (y, x) in enumerate([(0, 0), (0, 3), (3, 0), (3, 3), (1, 1)]):
        assert np.array_equal(crops[10 + i], images[1, y : y + 3, x : x + 4])
        assert np.array_equal(crops[15 + i], images[1, y : y + 3, x : x + 4][:, ::-1])


def transformer():
    result = io.Transformer({"data": (2, 3, 4, 5)})
    result.set_transpose("data", (2, 0, 1))
    result.set_channel_swap("data", (2, 1, 0))
    result.set_raw_scale("data", 255)
    result.set_mean("data", np.array([104.0, 117.0, 123.0]))
    result.set_input_scale("data", 0.5)
    return result


def test_preprocess_and_back():
    image = RNG.rand(4, 5, 3).astype(np.float32)
    kept = image.copy()
    got = transformer().preprocess("data", image)
    assert got.shape == (3, 4, 5) and got.dtype == np.float32
    assert np.array_equal(image, kept)
    for channel, mean in enumerate((104, 117, 123)):
        want = (image[:, :, 2 - channel].astype(float) * 255 - mean) * 0.5
        np.testing.assert_allclose(got[channel], want, atol=1e-4)
    np.testing.assert_allclose(transformer().deprocess("data", got[None]), image, atol=1e-6)


def test_preprocess_resizes():
    image = RNG.rand(8, 10, 3).astype(np.float32)
    plain = io.Transformer({"data": (1, 3, 4, 5)})
    plain.set_transpose("data", (2, 0, 1))
    halves = image.reshape(4, 2, 5, 2, 3).mean((1, 3))
    np.testing.assert_allclose(plain.preprocess("data", image), halves.transpose(2, 0, 1), atol=1e-6)


def test_a_mean_image_is_resized():
    mean = RNG.rand(3, 8, 10) * 100
    one = io.Transformer({"data": (1, 3, 4, 5)})
    one.set_mean("data", mean)
    np.testing.assert_allclose(one.mean["data"], mean.reshape(3, 4, 2, 5, 2).mean((2, 4)), rtol=1e-5)
    one.set_mean("data", np.full((3, 8, 10), 9.0))
    assert one.mean["data"].shape == (3, 4, 5) and (one.mean["data"] == 9).all()


@pytest.mark.parametrize(
    "method, value",
    [
        ("set_transpose", (1, 0)),
        ("set_channel_swap", (1, 0)),
        ("set_mean", np.zeros(2)),
        ("set_mean", np.zeros((1, 3, 4, 5))),
    ],
)
def test_what_does_not_fit(method, value):
    with pytest.raises(ValueError):
        getattr(transformer(), method)("data", value)
    with pytest.raises(ValueError, match="other is not one of the net inputs"):
        getattr(transformer(), method)("other", value)
