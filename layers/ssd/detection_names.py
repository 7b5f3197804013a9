"""The two files that tell DetectionOutput names: of classes, and of images with their sizes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from caffe_compat.errors import CaffeCompatError
from caffe_compat.prototxt.reader import read_label_map

MakeError = Callable[[str], CaffeCompatError]


def class_names(path: str, classes: Sequence[int], error: MakeError) -> dict[int, str]:
    """The name of each of these classes, from a label map. Raises error(what is wrong with the file)."""
    try:
        items = read_label_map(path).item
    except CaffeCompatError as cause:
        raise error(f"label_map_file: {cause}") from cause
    names = {item.label: item.name for item in items}
    if len(names) < len(items) or len(set(names.values())) < len(items):
        raise error(f"'{path}' has a label or a name twice")
    for label in classes:
        if label not in names:
            raise error(f"'{path}' has no name for class {label}")
    return {label: names[label] for label in classes}


def image_sizes(path: str, error: MakeError) -> list[tuple[str, int, int]]:
    """Name, height and width of the images, in the order of the lines. Raises error(what is wrong with the file)."""
    images = []
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            for i, line in enumerate(file, 1):
                match = re.fullmatch(r"(\S+)\s+([0-9]+)\s+([0-9]+)", line.strip())
                if match:
                    images.append((match[1], int(match[2]), int(match[3])))
                elif line.strip():
                    raise error(f"{path}:{i}: expected name, height and width, found '{line.strip()}'")
    except OSError as cause:
        raise error(f"name_size_file '{path}' cannot be read: {cause.strerror}") from cause
    if not images:
        raise error(f"name_size_file '{path}' names no image")
    return images
