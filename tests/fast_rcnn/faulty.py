"""A data set with each fault of faults.KINDS planted, and photos that EXIF turns."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from fast_rcnn.drawn import Object, annotation, picture

WIDTH, HEIGHT = 120, 90
GOOD: list[Object] = [
    ("bolt", (11, 21, 60, 70), 0),
    ("gear", (70, 40, 120, 90), 0),
    ("gear", (1, 1, 8, 9), 0),
]

# what is planted: the kinds of faults by image, in the order of the image set
PLANTED = {
    "good": [],
    "missing": ["photo"],
    "empty_file": ["photo"],
    "no_photo": ["photo"],
    "cut_off": ["photo"],
    "no_xml": ["annotation"],
    "broken_xml": ["annotation"],
    "no_number": ["annotation"],
    "scaled": ["size"],
    "from_zero": ["zero"],
    "beyond": ["outside"],
    "backwards": ["corners"],
    "turned": ["turned"],
    "swapped": ["swapped"],
    "repeated": ["repeated"],
    "difficult": ["unlearned"],
    "nothing": ["unlearned"],
    "two": ["zero", "outside"],
}


def with_orientation(jpeg: bytes, orientation: int, order: str = ">") -> bytes:
    """A JPEG with EXIF's orientation written into it."""
    mark = b"MM" if order == ">" else b"II"
    tiff = mark + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 0x112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def jpeg(seed: int, height: int = HEIGHT, width: int = WIDTH) -> bytes:
    return cv2.imencode(".jpg", picture(seed, height, width))[1].tobytes()


def sized(objects: list[Object], width: int = WIDTH, height: int = HEIGHT) -> str:
    size = f"<annotation><size><width>{width}</width><height>{height}</height></size>"
    return annotation(objects).replace("<annotation>", size)


def write_faulty(folder: Path) -> Path:
    """A folder with photos and, beside them, annotations; and an image set `all` that names `good` twice."""
    folder.mkdir()
    photos = {name: jpeg(seed) for seed, name in enumerate(PLANTED)}
    texts = dict.fromkeys(PLANTED, sized(GOOD))
    del photos["missing"], texts["no_xml"]
    photos["empty_file"], photos["no_photo"] = b"", b"no photo"
    photos["cut_off"] = photos["cut_off"][:900]
    photos["turned"] = with_orientation(jpeg(50), 6)
    photos["swapped"] = jpeg(51, WIDTH, HEIGHT)
    texts["swapped"] = sized(GOOD[:1])
    texts["broken_xml"] = "<annotation><object></annotation>"
    texts["no_number"] = sized([("bolt", ("11", "x", "60", "70"), 0)])
    texts["scaled"] = sized(GOOD, 240, 180)
    texts["from_zero"] = sized([("bolt", (0, 21, 60, 70), 0)])
    texts["beyond"] = sized([*GOOD, ("bolt", (11, 21, 121, 70), 0)])
    texts["backwards"] = sized([("bolt", (60, 21, 11, 70), 0)])
    texts["repeated"] = sized([*GOOD, GOOD[0]])
    texts["difficult"] = sized([("bolt", (11, 21, 60, 70), 1)])
    texts["nothing"] = sized([])
    texts["two"] = sized([("bolt", (5, 0, 60, 70), 0), ("nut", (5, 5, 60, 95), 0)])
    for name, content in photos.items():
        (folder / f"{name}.jpg").write_bytes(content)
    for name, text in texts.items():
        (folder / f"{name}.xml").write_text(text)
    (folder / "all.txt").write_text("\n".join([*PLANTED, "good"]))
    return folder


def coloured_corner(box: tuple[int, int, int, int]) -> np.ndarray:
    """Grey pixels, height x width x 3, red in the box x1 y1 x2 y2."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    x1, y1, x2, y2 = box
    image[y1 : y2 + 1, x1 : x2 + 1] = (0, 0, 250)
    return image
