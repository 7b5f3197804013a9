"""The size of a photo, and how EXIF says to turn it, from the first bytes of its file."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from caffe_compat.fast_rcnn.images import open_photo, read_photo

UPRIGHT = 1  # EXIF's orientation of a photo that is not turned; of 5 to 8 width and height change places
_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of JPEG's frames, which say the size
_PNG, _TIFF = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*")
_APP1, _SCAN, _END, _ORIENTATION = 0xE1, 0xDA, 0xD9, 0x0112


@dataclass(frozen=True)
class Header:
    """width, height: in pixels, as the photo is stored. orientation: EXIF's, 1 to 8."""

    width: int
    height: int
    orientation: int = UPRIGHT

    @property
    def is_turned(self) -> bool:
        """Whether width and height change places where the photo is turned upright."""
        return self.orientation > 4

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as `images.read_photo` has them."""
        return (self.height, self.width) if self.is_turned else (self.width, self.height)

    def turn(self, boxes: np.ndarray) -> np.ndarray:
        """N x 4 boxes (x1 y1 x2 y2, 0-based, both corners inside) of the stored photo in the upright one."""
        across, down = self.width - 1 - boxes[:, [2, 0]], self.height - 1 - boxes[:, [3, 1]]
        x, y = boxes[:, [0, 2]], boxes[:, [1, 3]]
        new_x, new_y = {
            1: (x, y),
            2: (across, y),
            3: (across, down),
            4: (x, down),
            5: (y, x),
            6: (down, x),
            7: (down, across),
            8: (y, across),
        }[self.orientation]
        return np.stack((new_x[:, 0], new_y[:, 0], new_x[:, 1], new_y[:, 1]), axis=1)

    def turn_pixels(self, stored: np.ndarray) -> np.ndarray:
        """The pixels of the stored photo, height x width x channels, in the upright one."""
        image = stored.transpose(1, 0, 2) if self.is_turned else stored
        across, down = self.orientation in (2, 3, 6, 7), self.orientation in (3, 4, 7, 8)
        return image[:: -1 if down else 1, :: -1 if across else 1]


def read_header(path: str | os.PathLike[str]) -> Header:
    """The header of a photo; files that are neither JPEG nor PNG, and PNGs with EXIF, are decoded for it.

    Raises DataError as `images.read_photo` does, but does not see what is wrong behind the header.
    Source: ITU-T T.81 (JPEG), annex B; EXIF 2.3, section 4.5; the PNG specification, section 11.2; TIFF 6.0, section 2.
    """
    with open_photo(path) as file:
        begin = file.read(24)
        try:
            if begin.startswith(b"\xff\xd8"):
                found = _jpeg(file)
                if found is not None:
                    return found
            elif begin.startswith(_PNG) and b"eXIf" not in _chunks(file):
                return Header(*struct.unpack(">II", begin[16:24]))
            elif begin.startswith(_TIFF):
                file.seek(0)
                return _of_upright(read_photo(path), _orientation(file.read()))
        except (struct.error, IndexError):  # damaged: decoding says in which way
            pass
    return _decoded(path)


def _decoded(path: str | os.PathLike[str]) -> Header:
    """The header of a photo whose orientation is what OpenCV does with it: not every version turns every format."""
    upright, stored = read_photo(path), read_photo(path, as_stored=True)
    turned = (_of_upright(upright, orientation) for orientation in range(UPRIGHT, 9))
    same = (one for one in turned if np.array_equal(one.turn_pixels(stored), upright))
    return next(same, _of_upright(upright, UPRIGHT))


def _of_upright(image: np.ndarray, orientation: int) -> Header:
    stored = Header(image.shape[1], image.shape[0], orientation).upright
    return Header(*stored, orientation)


def _chunks(file: BinaryIO) -> set[bytes]:
    """The names of a PNG's chunks."""
    names: set[bytes] = set()
    place = len(_PNG)
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return names
        length, name = struct.unpack(">I4s", head)
        names.add(name)
        place += 12 + length


def _jpeg(file: BinaryIO) -> Header | None:
    orientation = UPRIGHT
    for marker, length in _segments(file):
        if marker in _SIZES:
            height, width = struct.unpack(">xHH", file.read(5))
            return Header(width, height, orientation)
        if marker == _APP1 and file.read(6) == b"Exif\0\0":
            orientation = _orientation(file.read(length - 6))
    return None


def _segments(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """The marker and the length of each segment; the file stands at its first byte meanwhile."""
    place = 2
    while True:
        file.seek(place)
        start, marker, length = struct.unpack(">BBH", file.read(4))
        if start != 0xFF or marker in (_SCAN, _END):
            return
        if marker == 0xFF:  # a filling byte
            place += 1
            continue
        yield marker, length - 2
        place += 2 + length


def _orientation(exif: bytes) -> int:
    order = "<" if exif.startswith(b"II") else ">"
    (first,) = struct.unpack(f"{order}I", exif[4:8])
    (count,) = struct.unpack(f"{order}H", exif[first : first + 2])
    for i in range(count):
        entry = exif[first + 2 + 12 * i : first + 14 + 12 * i]
        tag, kind, _, value = struct.unpack(f"{order}HHIH", entry[:10])
        if tag == _ORIENTATION and kind == 3 and 1 <= value <= 8:
            return value
    return UPRIGHT
