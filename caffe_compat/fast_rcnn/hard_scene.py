"""Drawn scenes in which a detector errs: small, crowded and rare objects, and much that looks like one."""

from __future__ import annotations

import numpy as np

from caffe_compat.fast_rcnn.scene import COLOURS, SHAPES, TRIES, Scene

BETWEEN = {  # colours of no class, each between two of the classes'
    "orange": (40, 120, 215),
    "lime": (50, 185, 140),
    "teal": (145, 130, 60),
    "purple": (120, 55, 130),
}
_LookAlike = tuple[
    np.ndarray | None, tuple[int, int, int]
]  # how much of each pixel it covers, and its colour
_COMMON_FIRST = [
    7 * rank % 20 for rank in range(20)
]  # the classes: neighbours share neither shape nor colour
_WEIGHTS = 1 / np.arange(1, 21)


class HardScene(Scene):
    """As `scene.Scene`, but with

    - one to six objects, 18 to 90 pixels in size, most of them small; half of them beside another one,
    - classes of a long tail: the most common one has 28 % of the objects, the rarest one 1.4 % (Zipf's law),
    - four to eleven look-alikes of no class, as large as objects, anywhere: their shapes in colours between theirs,
      parts of them in their own colours, bars and crosses in these, and patches of the ground tinted with them.
    """

    objects_of_an_image, distractors_of_an_image = (1, 7), (4, 12)
    half_sides = (9, 45)

    def _class(self) -> tuple[str, str]:
        label = self.rng.choice(_COMMON_FIRST, p=_WEIGHTS / _WEIGHTS.sum())
        return SHAPES[label // len(COLOURS)], list(COLOURS)[label % len(COLOURS)]

    def _half_side(self) -> float:
        """As many between 10 and 20 pixels as between 20 and 40."""
        return float(np.exp(self.rng.uniform(*np.log(self.half_sides))))

    def _place(self, half: float) -> np.ndarray:
        if not self.objects or self.rng.randint(2):
            return self._anywhere()
        y, x = np.nonzero(self.objects[self.rng.randint(len(self.objects))].mask)
        away = half + np.hypot(np.ptp(x), np.ptp(y)) / 2.5
        angle = self.rng.uniform(0, 2 * np.pi)
        beside = np.array([x.mean(), y.mean()]) + away * np.array([np.cos(angle), np.sin(angle)])
        return beside.clip(0, self.owner.shape[::-1])

    def _distractor(self) -> None:
        kind = (self._in_a_wrong_colour, self._part, self._foreign, self._tinted_ground)[self.rng.randint(4)]
        for _ in range(TRIES):
            alpha, colour = kind()
            if alpha is not None and self._leaves_the_others_visible(alpha):
                self._paint_distractor(alpha, colour)
                return

    def _in_a_wrong_colour(self) -> _LookAlike:
        alpha, _ = self._outline(self._shape(), self._half_side(), self._anywhere())
        return alpha, list(BETWEEN.values())[self.rng.randint(len(BETWEEN))]

    def _part(self) -> _LookAlike:
        """What a straight cut near the middle leaves of a shape."""
        alpha, _ = self._outline(self._shape(), self._half_side(), self._anywhere())
        if alpha is None:
            return None, (0, 0, 0)
        y, x = np.nonzero(alpha >= 0.5)
        rows, columns = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
        angle = self.rng.uniform(0, 2 * np.pi)
        beyond = (columns - x.mean()) * np.cos(angle) + (rows - y.mean()) * np.sin(angle)
        return alpha * np.clip(beyond + 0.5, 0, 1), self._colour()

    def _foreign(self) -> _LookAlike:
        alpha, _ = self._outline(("bar", "cross")[self.rng.randint(2)], self._half_side(), self._anywhere())
        return alpha, self._colour()

    def _tinted_ground(self) -> _LookAlike:
        """A patch without an edge."""
        half = self._half_side()
        x, y = self._anywhere()
        rows, columns = np.ogrid[: self.owner.shape[0], : self.owner.shape[1]]
        away = ((columns - x) ** 2 + (rows - y) ** 2) / half**2
        return 0.85 * np.exp(-away, dtype=np.float32), self._colour()

    def _shape(self) -> str:
        return SHAPES[self.rng.randint(len(SHAPES))]

    def _colour(self) -> tuple[int, int, int]:
        return list(COLOURS.values())[self.rng.randint(len(COLOURS))]
