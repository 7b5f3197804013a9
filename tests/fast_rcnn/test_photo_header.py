"""Sizes of photos and turned boxes, against what OpenCV reads."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.dataset import objects_of
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.photo_header import Header, read_header
from caffe_compat.fast_rcnn.voc import Devkit
from fast_rcnn.faulty import HEIGHT, WIDTH, coloured_corner, jpeg, sized, with_orientation

BOX = (16, 8, 39, 55)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_with_the_photo(tmp_path, orientation):
    path = tmp_path / "a.jpg"
    content = cv2.imencode(".jpg", coloured_corner(BOX), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    path.write_bytes(with_orientation(content, orientation, "<>"[orientation % 2]))
    header, image = read_header(path), read_photo(path)
    assert header == Header(WIDTH, HEIGHT, orientation)
    assert header.upright == image.shape[1::-1]
    rows, columns = np.nonzero(image[..., 2] > 170)
    want = [columns.min(), rows.min(), columns.max(), rows.max()]
    np.testing.assert_allclose(header.turn(np.array([BOX])), [want], atol=1)  # JPEG blurs edges


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_boxes_turn_with_photos_of_other_forms(tmp_path, suffix, orientation):
    path, photo = tmp_path / f"a.{suffix}", coloured_corner(BOX)
    quality = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == "webp" else []
    content = cv2.imencode(f".{suffix}", photo, quality)[1].tobytes()
    path.write_bytes(WITH_EXIF[suffix](content, orientation))
    header, image = read_header(path), read_photo(path)
    np.testing.assert_array_equal(header.turn_pixels(photo), image)
    rows, columns = np.nonzero(image[..., 2] > 170)
    want = [columns.min(), rows.min(), columns.max(), rows.max()]
    assert header.turn(np.array([BOX])).tolist() == [want]


def exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def png_with(content: bytes, orientation: int) -> bytes:
    """eXIf stands behind IHDR."""
    chunk = b"eXIf" + exif(orientation)
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return content[:33] + chunk + content[33:]


def webp_with(content: bytes, orientation: int) -> bytes:
    """The extended form: VP8X with the flag of EXIF and the size less 1, the pixels, EXIF."""
    size = struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
    chunks = b"VP8X" + struct.pack("<IB3x", 10, 8) + size + content[12:]
    data = exif(orientation)
    chunks += b"EXIF" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def tiff_with(content: bytes, orientation: int) -> bytes:
    """One more entry in a copy of the directory, behind all."""
    (start,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[start : start + 2])
    entries = [content[start + 2 + 12 * i :][:12] for i in range(count)]
    entries = [one for one in entries if one[:2] != b"\x12\x01"]
    entries.append(struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0))
    directory = struct.pack("<H", len(entries)) + b"".join(sorted(entries, key=lambda one: one[1::-1]))
    return content[:4] + struct.pack("<I", len(content)) + content[8:] + directory + bytes(4)


WITH_EXIF = {"png": png_with, "webp": webp_with, "tif": tiff_with}


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp"])
def test_sizes_of_all_forms(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), np.zeros((7, 13, 3), np.uint8))
    assert read_header(path) == Header(13, 7)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"nothing", b"\xff\xd8" + b"\xff" * 90],
)
def test_damaged_headers_are_errors(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a photo that OpenCV can decode"):
        read_header(path)


def test_every_cut_of_a_header_is_read_or_told(tmp_path):
    content, path = with_orientation(jpeg(1), 8), tmp_path / "a.jpg"
    outcomes = set()
    for length in range(0, 300):
        path.write_bytes(content[:length])
        try:
            outcomes.add(read_header(path))
        except DataError:
            outcomes.add(None)
    assert outcomes == {None, Header(WIDTH, HEIGHT, 8)}


@pytest.mark.parametrize(
    "size, turned", [((WIDTH, HEIGHT), True), ((HEIGHT, WIDTH), False), ((0, 0), False), ((50, 40), False)]
)
def test_boxes_are_turned_where_the_annotation_is_of_the_stored_photo(tmp_path, size, turned):
    (tmp_path / "a.jpg").write_bytes(with_orientation(jpeg(1), 6))
    (tmp_path / "a.xml").write_text(sized([("dog", (17, 9, 40, 56), 0)], *size))
    objects = objects_of(Devkit(tmp_path, image_set=None), "a")
    assert objects.turned is turned
    want = [HEIGHT - 1 - 55, 16, HEIGHT - 1 - 8, 39] if turned else BOX
    assert objects.boxes.tolist() == [list(want)]
    assert objects.size == ((HEIGHT, WIDTH) if turned else None if size == (0, 0) else size)
