"""The window files of WindowData: images, and boxes in them with a class and an overlap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.words import Words


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
    words = Words(layer, source, "window file")
    paths: list[str] = []
    boxes: list[tuple[int, Window]] = []
    while not words.is_at_end:
        index, path, _, (channels, _, _) = read_image_header(words)
        paths.append(root_folder + path)
        boxes += [(index, _window(words)) for _ in range(words.whole("the number of windows"))]
    for index, window in boxes:
        if not 0 <= index < len(paths):
            raise layer.error(f"{window.place}: there is no image {index}; there are {len(paths)}")
    return [window._replace(image=paths[index]) for index, window in boxes], channels


def read_image_header(words: Words) -> tuple[int, str, str, tuple[int, int, int]]:
    """Index, path, where that stands (file:line), and (channels, height, width) of the next image."""
    if words.word("'#'") != "#":
        raise words.error("'#'")
    index, path = words.whole("the index of an image"), words.word("the path of an image")
    place = words.place
    channels, height, width = (
        words.whole(f"the {what} of an image") for what in ("channels", "height", "width")
    )
    return index, path, place, (channels, height, width)


def _window(words: Words) -> Window:
    label, place = words.whole("the class of a window"), words.place
    overlap = float(np.float32(words.number("the overlap of a window")))
    x1, y1, x2, y2 = (words.whole(f"{name} of a window") for name in ("x1", "y1", "x2", "y2"))
    return Window("", label, overlap, (x1, y1, x2, y2), place)
