"""The window files of WindowData: images, and boxes in them with a class and an overlap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.list_file import read_lines


class Window(NamedTuple):
    """A box in pixels, both corners included. place: file:line, for errors."""

    image: str
    label: int
    overlap: float
    box: tuple[int, int, int, int]
    place: str


def read_geometry(layer: Layer, source: str, root_folder: str) -> tuple[list[Window], int]:
    """All windows of a file, and the channels of its last image.

    For each image the file has `# index`, path, channels, height, width, the number of windows, and for each of
    those class, overlap, x1, y1, x2, y2; blanks and line ends are alike. Raises LayerError with the file and line.
    """
    lines = read_lines(layer, source, "window file")
    words = [(word, place) for line, place in lines for word in line.split()]
    return _Reader(layer, source, words).images(root_folder)


class _Reader:
    def __init__(self, layer: Layer, source: str, words: list[tuple[str, str]]):
        self.layer, self.source, self.words, self.position = layer, source, words, 0

    def images(self, root_folder: str) -> tuple[list[Window], int]:
        paths: list[str] = []
        boxes: list[tuple[int, Window]] = []
        while self.position < len(self.words):
            if self._word("'#'") != "#":
                raise self._error("'#'")
            index = self._int("the index of an image")
            paths.append(root_folder + self._word("the path of an image"))
            channels, _, _ = (
                self._int(f"the {what} of an image") for what in ("channels", "height", "width")
            )
            boxes += [(index, self._window()) for _ in range(self._int("the number of windows"))]
        for index, window in boxes:
            if not 0 <= index < len(paths):
                raise self.layer.error(f"{window.place}: there is no image {index}; there are {len(paths)}")
        return [window._replace(image=paths[index]) for index, window in boxes], channels

    def _window(self) -> Window:
        label = self._int("the class of a window")
        place = self.words[self.position - 1][1]
        overlap = float(np.float32(self._number("the overlap of a window")))
        x1, y1, x2, y2 = (self._int(f"{name} of a window") for name in ("x1", "y1", "x2", "y2"))
        return Window("", label, overlap, (x1, y1, x2, y2), place)

    def _int(self, expected: str) -> int:
        try:
            return int(self._word(expected))
        except ValueError:
            raise self._error(expected) from None

    def _number(self, expected: str) -> float:
        try:
            return float(self._word(expected))
        except ValueError:
            raise self._error(expected) from None

    def _word(self, expected: str) -> str:
        if self.position == len(self.words):
            raise self.layer.error(f"{self.source}: the file ends where {expected} was expected")
        self.position += 1
        return self.words[self.position - 1][0]

    def _error(self, expected: str) -> Exception:
        word, place = self.words[self.position - 1]
        return self.layer.error(f"{place}: expected {expected}, found '{word}'")
