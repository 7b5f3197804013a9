"""A small VOC devkit, drawn and written by the tests themselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

Object = tuple[str, tuple[float, float, float, float], int]  # class, xmin ymin xmax ymax from 1, difficult


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Rectangles on grained ground."""
    rng = np.random.RandomState(seed)
    image = rng.randint(90, 130, (height, width, 3)).astype(np.uint8)
    for _ in range(6):
        x1, y1 = rng.randint(0, width // 2), rng.randint(0, height // 2)
        corner = (int(x1 + width // 3), int(y1 + height // 3))
        cv2.rectangle(image, (int(x1), int(y1)), corner, rng.randint(0, 256, 3).tolist(), -1)
    return image


def annotation(objects: list[Object]) -> str:
    lines = ["<annotation>"]
    for name, corners, difficult in objects:
        box = "".join(
            f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
        )
        lines.append(
            f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{box}</bndbox></object>"
        )
    return "\n".join([*lines, "</annotation>"])


# 000007 has the size 120 x 90, 000012 70 x 110, 000031 100 x 80
SIZES = {"000007": (90, 120), "000012": (110, 70), "000031": (80, 100)}
OBJECTS: dict[str, list[Object]] = {
    "000007": [("dog", (11, 21, 60, 70), 0), ("person", (5, 5, 30, 80), 1), ("car", (70, 40, 120, 90), 0)],
    "000012": [("Cat ", (1, 1, 40, 100), 0)],
    "000031": [("person", (20, 10, 69, 59), 0), ("tvmonitor", (30.7, 20.2, 90, 75.9), 0)],
}


def write_devkit(folder: Path) -> Path:
    """Three photos and their annotations, image sets `trainval` (all) and `val` (000031)."""
    data = folder / "VOC2007"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (data / name).mkdir(parents=True)
    for seed, (image_id, size) in enumerate(SIZES.items()):
        cv2.imwrite(str(data / "JPEGImages" / f"{image_id}.jpg"), picture(seed, *size))
        (data / "Annotations" / f"{image_id}.xml").write_text(annotation(OBJECTS[image_id]))
    (data / "ImageSets/Main/trainval.txt").write_text("".join(f"{image_id}\n" for image_id in SIZES) + "\n")
    (data / "ImageSets/Main/val.txt").write_text("000031\n")
    return folder
