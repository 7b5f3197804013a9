import struct

import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn import images
from caffe_compat.fast_rcnn.images import read_photo
from fast_rcnn.drawn import picture

MEANS = np.array([102.9801, 115.9465, 122.7717])


def image_blob(photos):
    return images.image_blob(photos, [600] * len(photos), 1000, MEANS)


def bilinear(image: np.ndarray, y: float, x: float) -> np.ndarray:
    """The colour at a place between pixel centres, which lie at whole numbers; the border is repeated."""
    height, width = image.shape[:2]
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = (x0 + 1 - x) * image[y0, x0] + (x - x0) * image[y0, x1]
    low = (x0 + 1 - x) * image[y1, x0] + (x - x0) * image[y1, x1]
    return (y0 + 1 - y) * top + (y - y0) * low


@pytest.mark.parametrize(
    ("size", "scaled", "scale"),
    [
        ((375, 500), (600, 800), 1.6),
        ((500, 375), (800, 600), 1.6),
        ((300, 600), (500, 1000), 1000 / 600),
        ((1200, 1500), (600, 750), 0.5),
    ],
)
def test_the_shorter_side_has_600_pixels_or_the_longer_1000(size, scaled, scale):
    blob, scales = image_blob([picture(1, *size)])
    assert (blob.shape, blob.dtype, blob.flags.c_contiguous) == ((1, 3, *scaled), np.float32, True)
    assert scales == [scale]


def test_pixels_are_blue_green_red_minus_means_and_resized_bilinearly():
    image = picture(3, 40, 60)
    blob, scales = image_blob([image])
    assert scales == [15.0]
    for y in (0, 3, 200, 207, 599):
        for x in (0, 5, 700, 713, 899):
            want = bilinear(image - MEANS, (y + 0.5) / 15 - 0.5, (x + 0.5) / 15 - 0.5)
            np.testing.assert_allclose(blob[0, :, y, x], want, atol=0.02)


def test_each_photo_has_its_own_size_and_none_is_longer_than_the_limit():
    blob, scales = images.image_blob([picture(1, 30, 40), picture(2, 40, 50)], [60, 120], 145, MEANS)
    assert (blob.shape, scales) == ((2, 3, 116, 145), [2, 2.9])


def test_the_rest_of_a_smaller_photo_is_zero():
    blob, scales = image_blob([picture(1, 375, 500), picture(2, 500, 375)])
    assert blob.shape == (2, 3, 800, 800)
    assert not blob[0, :, 600:].any() and not blob[1, :, :, 600:].any()
    assert blob[0, :, :600].any() and blob[1, :, :, :600].any()
    assert scales == [1.6, 1.6]


def test_a_photo_too_thin_is_refused():
    with pytest.raises(DataError, match="2500 x 1 pixels"):
        image_blob([np.zeros((1, 2500, 3), np.uint8)])


def test_a_photo_is_read_as_opencv_reads_it(tmp_path):
    path = tmp_path / "photo.png"
    image = picture(4, 31, 47)
    cv2.imwrite(str(path), image)
    np.testing.assert_array_equal(read_photo(path), image)


def test_a_grey_photo_has_three_channels(tmp_path):
    path = tmp_path / "grey.jpg"
    cv2.imwrite(str(path), picture(4, 31, 47)[:, :, 0])
    assert read_photo(path).shape == (31, 47, 3)


def test_a_photo_is_turned_upright(tmp_path):
    """EXIF orientation 6: the camera was turned, the first row of pixels is the right side."""
    path = tmp_path / "turned.jpg"
    cv2.imwrite(str(path), picture(4, 31, 47))
    content = path.read_bytes()
    entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:])
    upright = cv2.rotate(cv2.imdecode(np.frombuffer(content, np.uint8), 1), cv2.ROTATE_90_CLOCKWISE)
    np.testing.assert_array_equal(read_photo(path), upright)


def test_a_photo_that_is_not_there_or_no_photo_is_refused(tmp_path):
    cases = {"missing.jpg": None, "empty.jpg": b"", "text.jpg": b"hello", "zeros.png": bytes(500)}
    for name, content in cases.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match="photo") as error:
            read_photo(path)
        assert error.value.file == str(path)
    with pytest.raises(DataError, match="cannot read the photo: Is a directory"):
        read_photo(tmp_path)


def test_a_jpeg_that_is_cut_off_is_refused(tmp_path):
    path = tmp_path / "cut.jpg"
    cv2.imwrite(str(path), picture(4, 200, 300))
    content = path.read_bytes()
    path.write_bytes(content + b"what a camera appends")
    assert read_photo(path).shape == (200, 300, 3)
    for keep in (0.3, 0.9, 0.999):
        path.write_bytes(content[: int(keep * len(content))])
        with pytest.raises(DataError, match="cut off after"):
            read_photo(path)
