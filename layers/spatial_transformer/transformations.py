"""Transformations of the plane: where places come from, and how that depends on their numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import SpatialTransformerParameter


class Transformation(ABC):
    """Of `count` numbers t. Places are columns x and rows y, -1 to 1; all arrays have an element a place."""

    count: int
    to_the_border = True  # samples outside of the map are those at its border

    def __init__(self, param: SpatialTransformerParameter):
        self.param = param

    @abstractmethod
    def places(self, t: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where (x, y) come from."""

    @abstractmethod
    def slopes(
        self, t: np.ndarray, x: np.ndarray, y: np.ndarray, of_p: np.ndarray, of_q: np.ndarray
    ) -> Sequence[np.ndarray]:
        """The gradient at each number, place by place, from that at where the places come from."""


class Translation(Transformation):
    """theta_1_1 x + t0, theta_2_2 y + t1."""

    count = 2

    def places(self, t, x, y):
        across, down = (
            x.dtype.type(getattr(self.param, name) if self.param.HasField(name) else 1)
            for name in ("theta_1_1", "theta_2_2")
        )
        return across * x + t[0], down * y + t[1]

    def slopes(self, t, x, y, of_p, of_q):
        return of_p, of_q


class TranslationScaling(Transformation):
    """t0 x + t1, t2 y + t3."""

    count = 4

    def places(self, t, x, y):
        return t[0] * x + t[1], t[2] * y + t[3]

    def slopes(self, t, x, y, of_p, of_q):
        return of_p * x, of_p, of_q * y, of_q


class Projective(Transformation):
    """(t0 x + t1 y + t2) / z, (t3 x + t4 y + t5) / z, where z = t6 x + t7 y + 1."""

    count = 8

    def places(self, t, x, y):
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = 1 / self._depth(t, x, y)
            return (t[0] * x + t[1] * y + t[2]) * factor, (t[3] * x + t[4] * y + t[5]) * factor

    def slopes(self, t, x, y, of_p, of_q):
        p, q = self.places(t, x, y)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = 1 / self._depth(t, x, y)
            of_p, of_q = of_p * factor, of_q * factor
            of_z = -(of_p * p + of_q * q)
            return of_p * x, of_p * y, of_p, of_q * x, of_q * y, of_q, of_z * x, of_z * y

    @staticmethod
    def _depth(t: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return t[6] * x + t[7] * y + 1


class Similarity(Transformation):
    """(x, y) turned by t0, scaled by t1, moved by t2 and t3."""

    count = 4
    to_the_border = False

    def places(self, t, x, y):
        turned = self._turned(t, x, y)
        return t[1] * turned[0] + t[2], t[1] * turned[1] + t[3]

    def slopes(self, t, x, y, of_p, of_q):
        p, q = self._turned(t, x, y)
        return t[1] * (of_q * p - of_p * q), of_p * p + of_q * q, of_p, of_q

    @staticmethod
    def _turned(t: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cos, sin = np.cos(t[0]), np.sin(t[0])
        return x * cos - y * sin, x * sin + y * cos


TRANSFORMATIONS: dict[str, type[Transformation]] = {
    "translation": Translation,
    "translation_scaling": TranslationScaling,
    "projective": Projective,
    "similarity": Similarity,
}
