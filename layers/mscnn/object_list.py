"""The lists of images with objects that DetectionData, EvalData and ImageGtData read."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.words import Words
from caffe_compat.layers.data.window_file import read_image_header


@dataclass(frozen=True)
class Listed:
    """An image of the list. boxes: G x 4, x1 y1 x2 y2 in pixels, both corners inside, of classes `labels` (from 1);
    ignored, difficult: bool. regions: K x 4, where nothing is known. place: file:line, for errors. size: as the list
    says, channels, height, width."""

    index: int
    path: str
    size: tuple[int, int, int]
    boxes: np.ndarray
    labels: np.ndarray
    ignored: np.ndarray
    difficult: np.ndarray
    regions: np.ndarray
    place: str


def read_objects(layer: Layer, source: str, root_folder: str, has_difficult: bool) -> list[Listed]:
    """All images of a list. Raises LayerError with the file and line.

    For each image: `# index`, path (behind root_folder), channels, height, width, the number of objects, for each of
    those class, whether it is ignored (and whether it is difficult), x1, y1, x2, y2; then the number of regions, and
    for each of those x1, y1, x2, y2. Blanks and line ends are alike.
    """
    words = Words(layer, source, "list of images and objects")
    images = []
    while not words.is_at_end:
        index, path, place, size = read_image_header(words)
        names = ("class", "ignored", *(["difficult"] if has_difficult else []), "x1", "y1", "x2", "y2")
        objects = _rows(words, "object", names)
        regions = _rows(words, "region", ("x1", "y1", "x2", "y2"))
        if (objects[:, 0] < 1).any():
            raise layer.error(
                f"{place}: an object of '{path}' has class {int(objects[:, 0].min())}; they begin at 1"
            )
        if size[0] != 3:
            raise layer.error(f"{place}: '{path}' has {size[0]} channels; images are read in colour, 3")
        difficult = objects[:, 2] != 0 if has_difficult else np.zeros(len(objects), bool)
        boxes, ignored = objects[:, -4:].astype(np.float32), objects[:, 1] != 0
        listed = boxes, objects[:, 0], ignored, difficult, regions.astype(np.float32)
        images.append(Listed(index, root_folder + path, size, *listed, place))
    for image in images:
        if not 0 <= image.index < len(images):
            raise layer.error(f"{image.place}: there is no image {image.index}; there are {len(images)}")
    return images


def warn_of_missing(layer: Layer, source: str) -> bool:
    """Whether the list is not there, which is a warning: nets can be looked at without their data."""
    missing = not os.path.exists(source)
    if missing:
        warnings.warn(
            f"layer '{layer.name}' ({layer.type}): the list '{source}' is not there; the net is built, and forward "
            "will be an error",
            stacklevel=3,
        )
    return missing


def _rows(words: Words, what: str, names: tuple[str, ...]) -> np.ndarray:
    count = words.count(f"the number of {what}s")
    rows = [[words.whole(f"{name} of the {what}") for name in names] for _ in range(count)]
    return np.array(rows, np.int64).reshape(count, len(names))
