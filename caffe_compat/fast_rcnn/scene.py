"""Drawn scenes: shapes on textured ground, and what an annotation has to say of them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from caffe_compat.fast_rcnn.voc import CLASSES

SHAPES = ("disc", "square", "triangle", "star", "ring")
COLOURS = {"red": (45, 40, 205), "green": (55, 165, 60), "blue": (200, 85, 45), "yellow": (45, 200, 220)}
_OTHER_COLOURS = ((150, 150, 150), (60, 60, 60), (180, 60, 170), (220, 220, 215))  # grey, dark, violet, white
_LONGER, _SHORTER = (260, 320), (200, 240)  # pixels of the images' sides
_VISIBLE = 0.55  # of an object, at least, however much is drawn over it
TRIES = 20  # places for an object before it is left out
_CORNERS = {  # in the square from -1 to 1
    "disc": [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 48, endpoint=False)],
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "triangle": [(0, -1), (1, 0.85), (-1, 0.85)],
    "star": [
        (r * np.sin(a), -r * np.cos(a))
        for a, r in zip(np.linspace(0, 2 * np.pi, 10, endpoint=False), [1, 0.42] * 5, strict=True)
    ],
    "bar": [(-1, -0.13), (1, -0.13), (1, 0.13), (-1, 0.13)],
    "cross": [
        (r * np.cos(a), r * np.sin(a))
        for quarter in np.arange(4) * np.pi / 2
        for r, a in ((1.0, quarter - 0.29), (1.0, quarter + 0.29), (0.42, quarter + np.pi / 4))
    ],
}


def class_name(shape: str, colour: str) -> str:
    """The class of a shape in a colour: one of VOC's 20 names, so that VOC's tools work without changes.

    In the order of `voc.CLASSES`: aeroplane is a red disc, bicycle a green one, bird a blue one and boat a yellow
    one. The squares follow from bottle to cat, the triangles from chair to dog, the stars from horse to pottedplant
    and the rings from sheep to tvmonitor, each in red, green, blue, yellow.
    """
    return CLASSES[1 + len(COLOURS) * SHAPES.index(shape) + list(COLOURS).index(colour)]


@dataclass
class DrawnObject:
    """A shape of a class. mask: bool, all that would be seen with nothing over it."""

    name: str
    mask: np.ndarray
    truncated: bool


class Scene:
    """One image (height x width x 3 uint8, BGR) with its `objects`.

    One to five objects of the 20 classes (`class_name`) of 40 to 120 pixels, rotated, striped and shaded, on textured
    ground; some partly cover others, or reach beyond the border. Between them lie distractors: the same shapes in other
    colours, and bars in the colours of the classes.
    """

    objects_of_an_image, distractors_of_an_image = (1, 6), (2, 6)  # from, and up to below
    half_sides = (20, 60)  # of the objects, in pixels

    def __init__(self, rng: np.random.RandomState):
        self.rng = rng
        height, width = rng.randint(*_SHORTER), rng.randint(*_LONGER)
        if rng.randint(3) == 0:
            height, width = width, height
        self.image = self._ground(height, width)
        self.owner = np.zeros((height, width), np.int32)  # which object is seen there, from 1
        self.objects: list[DrawnObject] = []
        order = ["object"] * rng.randint(*self.objects_of_an_image)
        order += ["distractor"] * rng.randint(*self.distractors_of_an_image)
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
        return (ground + self._stripes(slice(height), slice(width), 14)[..., None]).clip(0, 255)

    def _stripes(self, rows: slice, columns: slice, strength: float) -> np.ndarray:
        angle, period = self.rng.uniform(0, np.pi), self.rng.uniform(4, 16)
        y, x = np.ogrid[rows, columns]
        phase = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
        return self.rng.uniform(0.2, 1) * strength * np.sin(phase + self.rng.uniform(0, 6))

    def _object(self) -> None:
        shape, colour = self._class()
        half = self._half_side()
        for _ in range(TRIES):
            alpha, cut = self._outline(shape, half, self._place(half))
            if alpha is not None and self._leaves_the_others_visible(alpha):
                self.objects.append(DrawnObject(class_name(shape, colour), alpha >= 0.5, cut))
                self.owner[alpha >= 0.5] = len(self.objects)
                self._paint(alpha, COLOURS[colour])
                return

    def _class(self) -> tuple[str, str]:
        shape = SHAPES[self.rng.randint(len(SHAPES))]
        return shape, list(COLOURS)[self.rng.randint(len(COLOURS))]

    def _half_side(self) -> float:
        return self.rng.uniform(*self.half_sides)

    def _place(self, half: float) -> np.ndarray:
        """x and y of the centre of the next object."""
        return self._anywhere()

    def _anywhere(self) -> np.ndarray:
        height, width = self.owner.shape
        return self.rng.uniform([0, 0], [width, height])

    def _distractor(self) -> None:
        if self.rng.randint(2):
            shape, colours = SHAPES[self.rng.randint(len(SHAPES))], list(_OTHER_COLOURS)
        else:
            shape, colours = "bar", list(COLOURS.values())
        alpha, _ = self._outline(shape, self.rng.uniform(15, 50), self._anywhere())
        if alpha is not None and self._leaves_the_others_visible(alpha):
            self._paint_distractor(alpha, colours[self.rng.randint(len(colours))])

    def _paint_distractor(self, alpha: np.ndarray, colour: tuple[int, int, int]) -> None:
        self.owner[alpha >= 0.5] = 0
        self._paint(alpha, colour)

    def _outline(self, shape: str, half: float, place: np.ndarray) -> tuple[np.ndarray | None, bool]:
        """How much of each pixel is covered by a shape whose centre is there, and whether the border cuts it.

        None where less than three quarters of the shape would lie in the image.
        """
        height, width = self.owner.shape
        margin = int(1.5 * half)
        place = place + margin
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
        rows, columns = (_extent(alpha.max(axis=axis)) for axis in (1, 0))
        light = self.rng.uniform(-25, 25) + self._stripes(rows, columns, 30)
        left, right = self.rng.uniform(-20, 20, 2)
        light += np.linspace(left, right, alpha.shape[1])[columns]
        paint = np.array(colour) + self.rng.uniform(-15, 15, 3) + light[..., None]
        part = self.image[rows, columns]
        part += alpha[rows, columns, None] * (paint.clip(0, 255) - part)

    def _blur_and_grain(self) -> None:
        blurred = cv2.GaussianBlur(self.image.astype(np.float32), (0, 0), self.rng.uniform(0.4, 0.9))
        grain = self.rng.normal(0, self.rng.uniform(2, 7), blurred.shape)
        self.image = (blurred + grain).clip(0, 255).astype(np.uint8)


def _extent(used: np.ndarray) -> slice:
    """From the first to the last that is not 0; one is."""
    where = np.flatnonzero(used)
    return slice(where[0], where[-1] + 1)
