"""Draws detections into photos."""

from __future__ import annotations

import colorsys
import os
from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.nms import CLASS, SCORE
from caffe_compat.files import replacing

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SIDE = 500  # pixels of the longer side for which lines are 2 wide; larger photos get larger ones
_SMALLEST = 0.7  # text below this is hard to read
_GOLDEN = 0.618034  # turns of the hue from one class to the next: all far from each other
_Rect = tuple[int, int, int, int]  # x1 y1 x2 y2, the last ones outside


def draw(image: np.ndarray, dets: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """A copy of a photo (height x width x 3 uint8, BGR) with detections (M x 6) drawn into it.

    Each gets a box and a label in the colour of its class, of sizes that grow with the photo's. Labels do not cover
    each other where there is room; where there is none, the best ones lie on top. classes: the names of the classes,
    the background's first.
    """
    result = image.copy()
    unit = max(_SMALLEST, max(image.shape[:2]) / _SIDE)
    dets = dets[np.argsort(dets[:, SCORE])]
    for det in dets:
        x1, y1, x2, y2 = (round(float(corner)) for corner in det[1:5])
        cv2.rectangle(result, (x1, y1), (x2, y2), _colour(int(det[CLASS])), round(2 * unit), cv2.LINE_AA)
    labels = []
    taken: list[_Rect] = []
    for det in dets[::-1]:  # the best ones choose first
        text = f"{classes[int(det[CLASS])]} {det[SCORE]:.2f}"
        place = _place(det[1:5], _text_size(text, unit), image.shape[:2], taken)
        taken.append(place)
        labels.append((text, place, _colour(int(det[CLASS]))))
    for label in reversed(labels):
        _draw_label(result, *label, unit)
    return result


def write_photo(image: np.ndarray, path: str | os.PathLike[str]) -> None:
    """Write a photo as a JPEG; a file of this name is replaced as a whole or not at all. Raises CaffeCompatError."""
    done, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    if not done:
        raise DataError("OpenCV cannot write the photo as a JPEG", file=os.fspath(path))
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content.tobytes())


def _colour(label: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(label * _GOLDEN % 1, 0.85, 0.95)
    return round(255 * blue), round(255 * green), round(255 * red)


def _text_size(text: str, unit: float) -> tuple[int, int]:
    (width, height), baseline = cv2.getTextSize(text, _FONT, 0.5 * unit, max(1, round(unit)))
    return width + round(6 * unit), height + baseline + round(4 * unit)


def _place(box: np.ndarray, size: tuple[int, int], image: tuple[int, ...], taken: list[_Rect]) -> _Rect:
    """Where a label of this width and height goes: above the box, in it or below it, whichever is free first."""
    x1, y1, x2, y2 = (round(float(corner)) for corner in box)
    width, height = size
    lefts = [x1, x2 - width]
    tops = [y1 - height, y1, y2 - height, y2]
    places = [_inside((left, top), size, image) for top in tops for left in lefts]
    return next((one for one in places if not any(_meet(one, other) for other in taken)), places[0])


def _inside(corner: tuple[int, int], size: tuple[int, int], image: tuple[int, ...]) -> _Rect:
    left = max(0, min(corner[0], image[1] - size[0]))
    top = max(0, min(corner[1], image[0] - size[1]))
    return left, top, left + size[0], top + size[1]


def _meet(a: _Rect, b: _Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_label(
    image: np.ndarray, text: str, place: _Rect, colour: tuple[int, int, int], unit: float
) -> None:
    left, top, right, bottom = place
    cv2.rectangle(image, (left, top), (right - 1, bottom - 1), colour, cv2.FILLED)
    blue, green, red = colour
    dark = 0.114 * blue + 0.587 * green + 0.299 * red < 128  # as bright as the eye sees it
    thickness = max(1, round(unit))
    _, baseline = cv2.getTextSize(text, _FONT, 0.5 * unit, thickness)
    origin = (left + round(3 * unit), bottom - baseline - round(unit))
    cv2.putText(
        image, text, origin, _FONT, 0.5 * unit, (255,) * 3 if dark else (0,) * 3, thickness, cv2.LINE_AA
    )
