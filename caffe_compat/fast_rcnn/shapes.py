"""A data set of drawn shapes in VOC's format: small, not too easy to learn, and the same for the same seed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.voc import CLASSES
from caffe_compat.files import new_folder

SHAPES = ("disc", "square", "triangle", "star", "ring")
COLOURS = {"red": (45, 40, 205), "green": (55, 165, 60), "blue": (200, 85, 45), "yellow": (45, 200, 220)}
_OTHER_COLOURS = ((150, 150, 150), (60, 60, 60), (180, 60, 170), (220, 220, 215))  # grey, dark, violet, white
_LONGER, _SHORTER = (260, 320), (200, 240)  # pixels of the images' sides
_VISIBLE = 0.55  # of an object, at least, however much is drawn over it
_TRIES = 20  # places for an object before it is left out
_CORNERS = {  # in the square from -1 to 1
    "disc": [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 48, endpoint=False)],
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "triangle": [(0, -1), (1, 0.85), (-1, 0.85)],
    "star": [
        (r * np.sin(a), -r * np.cos(a))
        for a, r in zip(np.linspace(0, 2 * np.pi, 10, endpoint=False), [1, 0.42] * 5, strict=True)
    ],
    "bar": [(-1, -0.13), (1, -0.13), (1, 0.13), (-1, 0.13)],
}


def class_name(shape: str, colour: str) -> str:
    """The class of a shape in a colour: one of VOC's 20 names, so that VOC's tools work without changes.

    In the order of `voc.CLASSES`: aeroplane is a red disc, bicycle a green one, bird a blue one and boat a yellow
    one. The squares follow from bottle to cat, the triangles from chair to dog, the stars from horse to pottedplant
    and the rings from sheep to tvmonitor, each in red, green, blue, yellow.
    """
    return CLASSES[1 + len(COLOURS) * SHAPES.index(shape) + list(COLOURS).index(colour)]


def make_shapes(
    folder: str | os.PathLike[str],
    images: int = 500,
    seed: int = 0,
    on_image: Callable[[str], None] = lambda name: None,
) -> Path:
    """Draw a devkit: `folder`/VOC2007 with JPEGImages, Annotations and the image sets trainval and test.

    Every fifth image belongs to the test set. Images have 260 to 320 by 200 to 240 pixels; a third of them are upright.
    Each has one to five objects of the 20 classes (`class_name`) of 40 to 120 pixels, rotated, striped and shaded, on
    textured ground; some partly cover others, or reach beyond the border. Between them lie distractors: the same shapes
    in other colours, and bars in the colours of the classes. The same seed gives the same images, whatever their
    number. `on_image` is told the name of each.

    Returns the folder VOC2007. Raises DataError where it exists or cannot be written, and for fewer than five images.
    """
    if images < 5:
        raise DataError(f"{images} image(s) are asked for; every fifth is for tests, so five are the fewest")
    root = Path(folder) / "VOC2007"
    try:
        with new_folder(root) as temporary:
            _draw(Path(temporary), images, seed, on_image)
    except FileExistsError as error:
        raise DataError(
            "there is a data set already; remove it, or give another folder", file=str(root)
        ) from error
    except OSError as error:
        raise DataError(f"cannot write the data set: {error.strerror}", file=str(root)) from error
    return root


def _draw(root: Path, images: int, seed: int, on_image: Callable[[str], None]) -> None:
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / part).mkdir(parents=True)
    names = [f"{i:06d}" for i in range(1, images + 1)]
    for i, name in enumerate(names):
        scene = _Scene(np.random.RandomState([seed, i]))
        jpeg = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        (root / "JPEGImages" / f"{name}.jpg").write_bytes(jpeg.tobytes())
        (root / "Annotations" / f"{name}.xml").write_text(_annotation(name, scene))
        on_image(name)
    test = names[4::5]
    trainval = [name for name in names if name not in test]
    for image_set, members in (("trainval", trainval), ("test", test)):
        (root / "ImageSets/Main" / f"{image_set}.txt").write_text("".join(f"{name}\n" for name in members))


@dataclass
class _Object:
    name: str
    mask: np.ndarray  # bool, all that would be seen with nothing over it
    truncated: bool


class _Scene:
    """One image (height x width x 3 uint8, BGR) with its objects."""

    def __init__(self, rng: np.random.RandomState):
        self.rng = rng
        height, width = rng.randint(*_SHORTER), rng.randint(*_LONGER)
        if rng.randint(3) == 0:
            height, width = width, height
        self.image = self._ground(height, width)
        self.owner = np.zeros((height, width), np.int32)  # which object is seen there, from 1
        self.objects: list[_Object] = []
        order = ["object"] * rng.randint(1, 6) + ["distractor"] * rng.randint(2, 6)
        for kind in rng.permutation(order):
            self._object() if kind == "object" else self._distractor()
        if not self.objects:
            self._object()
        self._blur_and_grain()

    def _ground(self, height: int, width: int) -> np.ndarray:
        """Clouds of muted colour, with ripples."""
        grey = self.rng.uniform(70, 180)
        clouds = grey + self.rng.uniform(-45, 45, (4, 5, 1)) + self.rng.uniform(-14, 14, (4, 5, 3))
        ground = cv2.resize(clouds.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        return (ground + self._stripes(height, width, 14)[..., None]).clip(0, 255)

    def _stripes(self, height: int, width: int, strength: float) -> np.ndarray:
        angle, period = self.rng.uniform(0, np.pi), self.rng.uniform(4, 16)
        y, x = np.mgrid[:height, :width]
        phase = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
        return self.rng.uniform(0.2, 1) * strength * np.sin(phase + self.rng.uniform(0, 6))

    def _object(self) -> None:
        shape = SHAPES[self.rng.randint(len(SHAPES))]
        colour = list(COLOURS)[self.rng.randint(len(COLOURS))]
        half = self.rng.uniform(20, 60)
        for _ in range(_TRIES):
            alpha, cut = self._outline(shape, half)
            if alpha is not None and self._leaves_the_others_visible(alpha):
                self.objects.append(_Object(class_name(shape, colour), alpha >= 0.5, cut))
                self.owner[alpha >= 0.5] = len(self.objects)
                self._paint(alpha, COLOURS[colour])
                return

    def _distractor(self) -> None:
        if self.rng.randint(2):
            shape, colours = SHAPES[self.rng.randint(len(SHAPES))], list(_OTHER_COLOURS)
        else:
            shape, colours = "bar", list(COLOURS.values())
        alpha, _ = self._outline(shape, self.rng.uniform(15, 50))
        if alpha is not None and self._leaves_the_others_visible(alpha):
            self.owner[alpha >= 0.5] = 0
            self._paint(alpha, colours[self.rng.randint(len(colours))])

    def _outline(self, shape: str, half: float) -> tuple[np.ndarray | None, bool]:
        """How much of each pixel is covered by a shape at a random position, and whether the border cuts it.

        None where less than three quarters of the shape would lie in the image.
        """
        height, width = self.owner.shape
        margin = int(1.5 * half)
        place = self.rng.uniform([0, 0], [width, height]) + margin
        turn = self.rng.uniform(-0.35, 0.35) if shape != "bar" else self.rng.uniform(0, np.pi)
        stretch = np.exp(self.rng.uniform(-0.2, 0.2))
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        canvas = np.zeros((height + 2 * margin, width + 2 * margin), np.uint8)
        for size, value in ((1.0, 255), (0.5, 0)) if shape == "ring" else ((1.0, 255),):
            corners = np.array(_CORNERS["disc" if shape == "ring" else shape]) * [stretch, 1 / stretch]
            points = (corners * half * size) @ turned.T + place
            cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], value, cv2.LINE_AA, shift=4)
        inside = canvas[margin:-margin, margin:-margin]
        all_of_it, seen = int(canvas.sum()), int(inside.sum())
        return (inside / np.float32(255) if seen >= 0.75 * all_of_it else None), seen < all_of_it

    def _leaves_the_others_visible(self, alpha: np.ndarray) -> bool:
        covered = alpha >= 0.5
        return all(
            np.count_nonzero((self.owner == i) & ~covered) >= _VISIBLE * np.count_nonzero(one.mask)
            for i, one in enumerate(self.objects, 1)
        )

    def _paint(self, alpha: np.ndarray, colour: tuple[int, int, int]) -> None:
        height, width = alpha.shape
        light = self.rng.uniform(-25, 25) + self._stripes(height, width, 30)
        left, right = self.rng.uniform(-20, 20, 2)
        light += np.linspace(left, right, width)
        paint = np.array(colour) + self.rng.uniform(-15, 15, 3) + light[..., None]
        self.image += alpha[..., None] * (paint.clip(0, 255) - self.image)

    def _blur_and_grain(self) -> None:
        blurred = cv2.GaussianBlur(self.image.astype(np.float32), (0, 0), self.rng.uniform(0.4, 0.9))
        grain = self.rng.normal(0, self.rng.uniform(2, 7), blurred.shape)
        self.image = (blurred + grain).clip(0, 255).astype(np.uint8)


def _annotation(name: str, scene: _Scene) -> str:
    height, width = scene.owner.shape
    lines = [
        "<annotation>",
        f"  <folder>VOC2007</folder>\n  <filename>{name}.jpg</filename>",
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        "  <segmented>0</segmented>",
    ]
    for one in scene.objects:
        y, x = np.nonzero(one.mask)
        corners = {"xmin": x.min(), "ymin": y.min(), "xmax": x.max(), "ymax": y.max()}
        box = "".join(f"<{corner}>{value + 1}</{corner}>" for corner, value in corners.items())
        lines.append(
            f"  <object>\n    <name>{one.name}</name><pose>Unspecified</pose>"
            f"<truncated>{int(one.truncated)}</truncated><difficult>0</difficult>\n"
            f"    <bndbox>{box}</bndbox>\n  </object>"
        )
    return "\n".join([*lines, "</annotation>", ""])
